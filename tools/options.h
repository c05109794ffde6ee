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

#endif
