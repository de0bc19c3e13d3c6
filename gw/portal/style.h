/* The style sheet of the pages and the pictures at their head: constant text, so that the
 * Content-Security-Policy can name the one style it allows by its hash. Colours: color.tbl. */
#ifndef GW_PORTAL_STYLE_H
#define GW_PORTAL_STYLE_H

#include "gw/base/buf.h"

enum page_look { LOOK_BLOCKED, LOOK_CERTIFICATE, LOOK_WARNED, LOOK_OTHER };

/* What stands between <style> and </style>. */
extern const char style_text[];
/* "sha256-..." of just that (CSP level 2 section 4.2.3); the unit test computes it again. */
extern const char style_hash[];
/* Class of the page, and its sign as inline SVG. */
const char *style_class(enum page_look l);
const char *style_sign(enum page_look l);

#endif
