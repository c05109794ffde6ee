/* SPDX-License-Identifier: Apache-2.0 */
#include "linnet/status.h"

const char *linnet_status_text(linnet_status status)
{
    switch (status) {
#define LINNET_STATUS_CASE(name, number, text)                                                                         \
    case LINNET_##name:                                                                                                \
        return text;
        LINNET_STATUS_TABLE(LINNET_STATUS_CASE)
#undef LINNET_STATUS_CASE
    }
    return "unknown status";
}

const char *linnet_status_name(linnet_status status)
{
    switch (status) {
#define LINNET_STATUS_CASE(name, number, text)                                                                         \
    case LINNET_##name:                                                                                                \
        return "LINNET_" #name;
        LINNET_STATUS_TABLE(LINNET_STATUS_CASE)
#undef LINNET_STATUS_CASE
    }
    return "LINNET_?";
}
