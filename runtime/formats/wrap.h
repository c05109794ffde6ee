/* SPDX-License-Identifier: Apache-2.0 */
/* Captions broken into lines. Internal. */
#ifndef LINNET_WRAP_H
#define LINNET_WRAP_H

#include <stdbool.h>
#include <stddef.h>

enum { LINNET_WRAP_LINES = 4, LINNET_WRAP_LETTERS = 255 };

typedef struct linnet_wrapped {
    char lines[LINNET_WRAP_LINES][LINNET_WRAP_LETTERS + 1];
    int count;
    bool shortened;   /* ".." stands for the rest */
    bool word_broken; /* in the middle of a word */
} linnet_wrapped;

/* Breaks the text (NULL: none) into at most `most` lines of `room` letters: between words, behind / _ - , . where a
   word is too long, anywhere else; '\n' always. What does not fit is shortened with "..". */
linnet_wrapped linnet_wrap(const char *text, size_t room, int most);

#endif
