/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINNET_TOOLS_COMMANDS_H
#define LINNET_TOOLS_COMMANDS_H

#include "cli.h"

extern const cli_command cmd_devices, cmd_doctor, cmd_selftest, cmd_summary, cmd_plan, cmd_bench, cmd_tune, cmd_train,
    cmd_eval, cmd_predict, cmd_filter, cmd_features, cmd_equivariance, cmd_style, cmd_adversarial, cmd_invert;

#endif
