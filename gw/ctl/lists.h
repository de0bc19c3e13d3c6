/* What the commands of `perronctl lists` share: options, and list parts from wherever they come. */
#ifndef GW_CTL_LISTS_H
#define GW_CTL_LISTS_H

#include "gw/ctl/ctl.h"
#include "signatures/catc.h"

enum { LISTS_SOURCES = 256, LISTS_OWN = GUARD_OWN };

struct lists_options {
    const char *source[LISTS_SOURCES], *own[LISTS_OWN];
    size_t n_sources, n_own;
    const char *out, *popular, *seen, *accepted, *before;
};

/* Parts: built from sources, mapped from a built file, or compiled with a policy. */
struct lists_parts {
    struct catc *c; /* sources: for its reports */
    struct buf hot_buf, text_buf;
    span mapped;
    struct cattext text;
};

/* 0, or 1 after the one clear line. */
int lists_options(struct lists_options *o, const char *command, int argc, char **argv);
/* Fills the guard from the options. */
int lists_guard(const struct lists_options *o, struct guard *g);
int lists_build(const struct lists_options *o, const struct cattext *before, struct lists_parts *out);
/* One source or several, a built file (its name, or that with .text), or a policy file (*.policy). */
int lists_load(const struct lists_options *o, const char *const *sources, size_t n, struct lists_parts *out);
void lists_fini(struct lists_parts *p);
/* list, file, line, entry. */
json_t *lists_entry_json(const struct cattext *t, const struct cattext_entry *e);
/* JSON text of bytes that may be no UTF-8. */
json_t *lists_text(span s);
int lists_diff(const struct ctl *ctl, int argc, char **argv);

#endif
