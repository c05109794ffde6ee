/* SPDX-License-Identifier: Apache-2.0 */
/* The one file that is compiled anew for every commit. */
#include "version.h"

#include "commit.h"

#include <linnet/linnet.h>
#include <stdio.h>

const char *version_text(void)
{
    static char text[128];
    const char *commit = COMMIT;
    snprintf(text, sizeof text, *commit ? "%s (%s)" : "%s", linnet_version(), commit);
    return text;
}
