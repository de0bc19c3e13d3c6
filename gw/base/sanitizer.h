/* Is this a build under a sanitizer of addresses or threads? Such a build is never installed. */
#ifndef GW_BASE_SANITIZER_H
#define GW_BASE_SANITIZER_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZER
#endif

#ifdef SANITIZER
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

#endif
