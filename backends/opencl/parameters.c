/* SPDX-License-Identifier: Apache-2.0 */
/* The database of parameters, and what LINNET_OPENCL_PARAMETERS changes in it. */
#include "parameters.h"

#include "opencl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The nearest last. */
enum level { DEFAULT, TYPE, VENDOR, ARCHITECTURE, DEVICE };

static const char *const level_names[] = {"default", "type", "vendor", "architecture", "device"};

typedef struct parameter {
    const char *name;
    double least, most;
} parameter;

typedef struct setting {
    enum level level;
    const char *match;
    linnet_cl_parameter parameter;
    double value;
} setting;

static const parameter parameters[] = {
#define LINNET_CL_PARAMETER(ID, name, least, most) {name, least, most},
#include "parameters.def"
};

/* A test has settings of its own. */
#ifndef LINNET_CL_SETTINGS_FILE
#define LINNET_CL_SETTINGS_FILE "parameters.def"
#endif

static const setting settings[] = {
#define LINNET_CL_SETTING(LEVEL, match, ID, value) {LEVEL, match, LINNET_CL_##ID, value},
#include LINNET_CL_SETTINGS_FILE
};

static bool applies(const setting *s, const linnet_cl_subject *subject)
{
    switch (s->level) {
    case DEVICE:
        return strstr(subject->device, s->match) != NULL;
    case ARCHITECTURE:
        return strcmp(subject->architecture, s->match) == 0;
    case VENDOR:
        return strstr(subject->vendor, s->match) != NULL;
    case TYPE:
        return strcmp(subject->type, s->match) == 0;
    case DEFAULT:
        break;
    }
    return true;
}

static void look_up(const linnet_cl_subject *subject, linnet_cl_parameters *out)
{
    for (int level = DEFAULT; level <= DEVICE; level++)
        for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
            if ((int)settings[i].level == level && applies(&settings[i], subject)) {
                out->values[settings[i].parameter] = settings[i].value;
                out->from[settings[i].parameter] = level_names[level];
            }
}

static const char option[] = "option";

/* One is wrong: what. */
static linnet_status fail(const char *asked, const char *item, const char *what)
{
    char list[512] = "";
    size_t at = 0;
    for (int i = 0; i < LINNET_CL_PARAMETER_COUNT && at < sizeof(list); i++) {
        int wrote = snprintf(list + at, sizeof(list) - at, "%s%s=%g..%g", i ? " " : "", parameters[i].name,
                             parameters[i].least, parameters[i].most);
        at += wrote < 0 ? 0 : (size_t)wrote;
    }
    return linnet_cl_fail(
        LINNET_INVALID,
        "LINNET_OPENCL_PARAMETERS=%.200s: '%.*s' %s; it is names, once each, and numbers, commas between: %s", asked,
        (int)strcspn(item, ","), item, what, list);
}

/* "name=number", for the first time, at *item, which moves behind it. NULL, or what is wrong. */
static const char *read_item(const char **item, linnet_cl_parameters *out)
{
    size_t length = strcspn(*item, "=,");
    int i = 0;
    while (i < LINNET_CL_PARAMETER_COUNT &&
           (strlen(parameters[i].name) != length || strncmp(parameters[i].name, *item, length) != 0))
        i++;
    const char *number = *item + length + 1;
    if (i == LINNET_CL_PARAMETER_COUNT)
        return "has no name of a parameter";
    if ((*item)[length] != '=' || !*number || *number == ',')
        return "has no number";
    char *end;
    double value = strtod(number, &end);
    if (end == number || (*end && *end != ',') || !strchr("-0123456789.", *number))
        return "has something that is no number";
    if (!(value >= parameters[i].least && value <= parameters[i].most))
        return "is out of range";
    if (out->from[i] == option)
        return "is the second of its name";
    if (*end && !end[1])
        return "has a comma behind it, and nothing more";
    out->values[i] = value;
    out->from[i] = option;
    *item = end + (*end == ',');
    return NULL;
}

linnet_status linnet_cl_parameters_find(const linnet_cl_subject *subject, linnet_cl_parameters *out)
{
    const char *asked = linnet_cl_host->option("LINNET_OPENCL_PARAMETERS");
    look_up(subject, out);
    for (const char *item = asked; item && *item;) {
        const char *wrong = read_item(&item, out);
        if (wrong)
            return fail(asked, item, wrong);
    }
    return LINNET_OK;
}

void linnet_cl_parameters_describe(const linnet_cl_parameters *p, char *out_text, size_t size)
{
    size_t at = 0;
    for (int i = 0; i < LINNET_CL_PARAMETER_COUNT && at < size; i++) {
        int wrote =
            snprintf(out_text + at, size - at, "parameter %s: %g (%s)\n", parameters[i].name, p->values[i], p->from[i]);
        at += wrote < 0 ? 0 : (size_t)wrote;
    }
}
