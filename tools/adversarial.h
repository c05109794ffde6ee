/* SPDX-License-Identifier: Apache-2.0 */
/* What `linnet adversarial` is made of. Functions return EXIT_GO_ON or the exit code to leave with. */
#ifndef LINNET_TOOLS_ADVERSARIAL_H
#define LINNET_TOOLS_ADVERSARIAL_H

#include "labels.h"
#include "model.h"

#define MOST_EPSILONS 32

enum { METHOD_FGSM, METHOD_PGD, METHOD_COUNT }; /* as linnet_attack_method */
extern const char *const method_names[];

typedef struct adversarial_options {
    const char *model, *weights, *labels, *image, *data; /* image NULL: number index of data, or all of data */
    const char *target, *output, *sheet;
    int method; /* -1: not said */
    int as_is;
    int64_t steps, seed, limit, batch, index; /* steps 0: the library's; index -1: none */
    double epsilon, step_size;
    double epsilons[MOST_EPSILONS];
    size_t epsilon_count;
} adversarial_options;

/* One picture: from image, or number index of data. */
int adversarial_image(const adversarial_options *o);
/* Accuracy on data against epsilon. */
int adversarial_data(const adversarial_options *o);

/* "4/255" and "0.0157" are numbers; NaN: text is none. */
double adversarial_number(const char *text);
/* "0.2"; "4/255" for what is a whole number of levels and no short number. */
const char *adversarial_epsilon_text(double epsilon, char out[32]);

#endif
