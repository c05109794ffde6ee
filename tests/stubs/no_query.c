/* SPDX-License-Identifier: Apache-2.0 */
/* A shared object that is no plugin: it exports something else. */
#include "linnet/export.h"

LINNET_API int linnet_stub_something_else(void);

int linnet_stub_something_else(void)
{
    return 1;
}
