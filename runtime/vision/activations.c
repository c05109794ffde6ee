/* SPDX-License-Identifier: Apache-2.0 */
/* Activations of one picture, layer by layer. */
#include "probe.h"

linnet_status linnet_activations_read(linnet_session *session, const linnet_model *model, const linnet_tensor *picture,
                                      const linnet_value *layers, size_t count, linnet_maps *out_maps)
{
    linnet_probe probe;
    size_t filled = 0;
    linnet_status status = linnet_probe_open_picture(&probe, session, model, picture, 1);
    for (size_t i = 0; i < count && status == LINNET_OK; i++)
        status = linnet_session_keep(session, layers[i]);
    if (status == LINNET_OK)
        status = linnet_probe_forward(&probe, picture->data, 1);
    while (filled < count && status == LINNET_OK) {
        status = linnet_probe_read(&probe, layers[filled], &out_maps[filled]);
        filled += status == LINNET_OK;
    }
    while (status != LINNET_OK && filled)
        linnet_maps_free(&out_maps[--filled]);
    linnet_probe_close(&probe);
    return status;
}
