/* SPDX-License-Identifier: Apache-2.0 */
#include "safetensors.h"

#include <string.h>

static const struct {
    const char *name;
    linnet_type type;
} types[] = {{"F64", LINNET_F64}, {"F32", LINNET_F32}, {"F16", LINNET_F16}, {"BF16", LINNET_BF16},
             {"I64", LINNET_I64}, {"I32", LINNET_I32}, {"U8", LINNET_U8},   {"BOOL", LINNET_BOOL}};

static const char *const others[] = {"I8", "I16", "U16", "U32", "U64", "F8_E4M3", "F8_E5M2", "C64", "F8_E8M0", "F4"};

const char *linnet_safetensors_type_name(linnet_type type)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].type == type)
            return types[i].name;
    return NULL;
}

linnet_status linnet_safetensors_type(const char *name, linnet_type *out_type)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(types[i].name, name)) {
            *out_type = types[i].type;
            return LINNET_OK;
        }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (!strcmp(others[i], name))
            return LINNET_UNSUPPORTED;
    return LINNET_BAD_FILE;
}
