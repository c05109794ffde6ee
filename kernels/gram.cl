/* SPDX-License-Identifier: Apache-2.0 */
/* What a gradient of gram multiplies x by: s [N,C,C], s[n,i,j] = scale (dy[n,i,j] + dy[n,j,i]). One work-item an
 * element of count. */
__kernel void gram_symmetric(__global const float *dy, ulong dy_at, __global float *s, ulong s_at, int channels,
                             int count, float scale)
{
    int e = (int)get_global_id(0);
    if (e >= count)
        return;
    int row = e / channels, j = e - row * channels, n = row / channels, i = row - n * channels;
    dy += dy_at;
    s[s_at + e] = scale * (dy[e] + dy[((ulong)n * channels + j) * channels + i]);
}
