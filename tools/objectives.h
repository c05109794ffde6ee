/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that make pictures by an objective share beside descent.h. */
#ifndef LINNET_TOOLS_OBJECTIVES_H
#define LINNET_TOOLS_OBJECTIVES_H

#include "cli.h"

/* Opens the device and says which network looks: model and weights as every command takes them (engine_open_model), or
   NULL, both. The names belong to the source: close it, also after a failure. */
int source_open(const char *model, const char *weights, linnet_feature_source *out_source);
void source_close(linnet_feature_source *source);
/* Says where a network looks with random weights for want of others; textures are random, and meant to be. To be called
   once all is ready: an error stands alone. */
void source_warn(const linnet_feature_source *source);

/* objective, or why there is none: EXIT_GO_ON, EXIT_USAGE for a layer that is not there, ... */
int objective_check(const linnet_objective *objective);

/* Bytes that the process held at most so far; 0 where the system does not say. */
uint64_t memory_peak(void);
/* Bytes that the objective's session holds: activations, weights, packed weights. */
uint64_t objective_bytes(const linnet_objective *objective);
/* Nodes that ran on another device. */
uint32_t objective_fallbacks(const linnet_objective *objective);

/* "dir/name.png" -> "dir/name" + suffix + (extension NULL: ".png"). */
char *path_beside(const char *path, const char *suffix, const char *extension);

#endif
