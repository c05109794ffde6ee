/* SPDX-License-Identifier: Apache-2.0 */
/* Options that several commands have, called and explained alike. */
#ifndef LINNET_TOOLS_OPTIONS_H
#define LINNET_TOOLS_OPTIONS_H

#include "cli.h"

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
