/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINNET_TOOLS_VERSION_H
#define LINNET_TOOLS_VERSION_H

/* "0.1.0 (abcdef1)": the library's version, and the commit that the program was built from where that is known. */
const char *version_text(void);

#endif
