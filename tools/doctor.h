/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `linnet doctor`. */
#ifndef LINNET_TOOLS_DOCTOR_H
#define LINNET_TOOLS_DOCTOR_H

/* One finding; a new section begins with its heading. state and text may be "". */
void doctor_line(const char *section, const char *name, const char *state, const char *text);

/* OpenCL drivers as the ICD loader finds them, and what to install for the graphics cards that are here. */
void doctor_show_drivers(void);
/* Why nothing can be written to a folder, which is made where it is missing; NULL: nothing speaks against it. */
const char *doctor_folder_refusal(const char *folder);
/* Where programs and tuned choices are kept. */
void doctor_show_cache(void);

#endif
