/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of paired, and the environment that its engines want. */
#ifndef LINNET_PEERS_SETTINGS_H
#define LINNET_PEERS_SETTINGS_H

#include "peers.h"

typedef struct settings {
    peer_settings peers;
    const char *backend, *engine_list, *direction_list, *shape, *text;
    double seconds, pause;
    int threads;
    bool json;
} settings;

/* -1: go on, in a process whose environment is that of out->threads; else exit with it. */
int settings_read(int argc, char **argv, settings *out);
bool settings_has_engine(const settings *o, const char *name);
bool settings_has_direction(const settings *o, const char *name);
bool settings_selects(const settings *o, const peer_shape *shape);

#endif
