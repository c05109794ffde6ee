/* SPDX-License-Identifier: Apache-2.0 */
/* Symbol visibility and C++ linkage. Included by every public header. */
#ifndef LINNET_EXPORT_H
#define LINNET_EXPORT_H

#if defined(__GNUC__)
#define LINNET_API                 __attribute__((visibility("default")))
#define LINNET_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define LINNET_API
#define LINNET_PRINTF(text, first)
#endif

#ifdef __cplusplus
#define LINNET_BEGIN_DECLS extern "C" {
#define LINNET_END_DECLS   }
#else
#define LINNET_BEGIN_DECLS
#define LINNET_END_DECLS
#endif

#endif
