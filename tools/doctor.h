/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `linnet doctor`. */
#ifndef LINNET_TOOLS_DOCTOR_H
#define LINNET_TOOLS_DOCTOR_H

/* One finding; a new section begins with its heading. state and text may be "". */
void doctor_line(const char *section, const char *name, const char *state, const char *text);

typedef struct doctor_driver {
    char error[512]; /* why it cannot be used; "" */
    int devices;     /* how many it has; -1: that is not known */
} doctor_driver;

/* Loads a driver's library, and asks it for its devices as the ICD loader does (doctor_ask.c). Before this process has
   loaded a driver itself: its child would share that one's state. */
void doctor_ask_driver(const char *icd_file, const char *library, doctor_driver *out);

/* Asks all OpenCL drivers that the ICD loader finds; before this process has loaded one. */
void doctor_ask_drivers(void);
/* What they said, and what to install for the graphics cards that are here. */
void doctor_show_drivers(void);
/* The variables that are set and matter here, and those called like Linnet's own that nobody reads. */
void doctor_show_environment(void);
/* Why nothing can be written to a folder, which is made where it is missing; NULL: nothing speaks against it. */
const char *doctor_folder_refusal(const char *folder);
/* Where programs and tuned choices are kept. */
void doctor_show_cache(void);

#endif
