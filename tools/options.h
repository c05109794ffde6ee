/* SPDX-License-Identifier: Apache-2.0 */
/* Options that several commands have, called and explained alike. */
#ifndef LINNET_TOOLS_OPTIONS_H
#define LINNET_TOOLS_OPTIONS_H

#include "cli.h"

/* What --help of a command says about its argument MODEL. */
#define OPTION_MODEL_HELP                                                                                              \
    "MODEL is a network's name (linnet summary --help lists them), a net in a line or a file that holds one, with "    \
    "--weights;\n"                                                                                                     \
    "or a weight file that says which network it is for, as linnet train writes them."

/* "test", "train": the index is what option_part sets. */
extern const char *const part_names[];

cli_option option_weights(const char **target);
/* letter 0: --labels has none. */
cli_option option_labels(char letter, const char **target);
cli_option option_data(const char **target);
cli_option option_part(int *target);
/* Images at once; what is said of them. */
cli_option option_batch(int64_t *target, const char *help);
/* Which network a weight file is for. */
cli_option option_net(const char **target);
/* Of what, and which one is the default. */
cli_option option_seed(int64_t *target, const char *help);

/* ---- Pictures made by going down an objective ---- */

#define OPTION_MOST_PIXELS 4096 /* on the longer side */

/* "default", "lbfgs", "adam": the index is a linnet_minimizer. */
extern const char *const minimizer_names[];

/* Longer side of a picture, letter 's', and the like; letter 0: none. */
cli_option option_pixels(const char *name, char letter, int64_t *target, const char *help);
cli_option option_iterations(int64_t *target, const char *help);
/* Weight of the total variation. */
cli_option option_total_variation(double *target, const char *help);
cli_option option_optimizer(int *target);
cli_option option_rate(double *target);
/* EXIT_GO_ON, or EXIT_USAGE where this build lacks the method. */
int option_optimizer_check(int method);

#endif
