/* SPDX-License-Identifier: Apache-2.0 */
/* What people write where a network is wanted: a name, a net in a line, a file that holds one, a weight file. */
#ifndef LINNET_TOOLS_NET_ARGUMENT_H
#define LINNET_TOOLS_NET_ARGUMENT_H

#include "cli.h"

/* *out_net: the name, or the text as it was written; free it. NULL: argument is (or would be) a weight file. */
int net_argument(const char *argument, char **out_net);
/* --weights beside an argument that net_argument took for net: EXIT_USAGE where that is a weight file, too. */
int net_check_weights(const char *argument, const char *net, const char *weights);
/* A short name for files and tables: "lenet5", "conv-8-k3-relu-linear-10". */
void net_label(const char *net, char *out, size_t size);
/* The exit code for what linnet_model_new or linnet_model_for_weights said about net, or about a file. */
int net_check(linnet_status status, const char *net, bool from_file);

#endif
