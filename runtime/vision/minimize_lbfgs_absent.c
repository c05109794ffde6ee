/* SPDX-License-Identifier: Apache-2.0 */
/* A build without liblbfgs. */
#include "minimize.h"

bool linnet_minimize_has_lbfgs(void)
{
    return false;
}

linnet_status linnet_minimize_lbfgs(linnet_minimization *m)
{
    return linnet_fail(m->context, LINNET_UNSUPPORTED,
                       "L-BFGS is not in this build (configured without liblbfgs); Adam is");
}
