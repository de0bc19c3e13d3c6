/* perronctl lists: builds lists without a gateway, shows what is in them and what is held back, and compares
 * two. */
#include "gw/ctl/lists.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gw/base/obj.h"

/* ---- build ---- */

/* Written beside, synced and renamed: the file is whole or the old one. */
static int write_whole(const char *path, span bytes)
{
    char tmp[4096];
    if (snprintf(tmp, sizeof tmp, "%s.new", path) >= (int)sizeof tmp)
        return ctl_fail("%s: too long a name", path);
    AUTO_CLOSE int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    size_t at = 0;
    while (fd >= 0 && at < bytes.n) {
        ssize_t n = write(fd, bytes.p + at, bytes.n - at);
        if (n <= 0 && errno != EINTR)
            break;
        at += n > 0 ? (size_t)n : 0;
    }
    if (fd < 0 || at < bytes.n || fsync(fd) != 0 || rename(tmp, path) != 0) {
        int status = ctl_fail("%s: %s", path, strerror(errno));
        unlink(tmp);
        return status;
    }
    return 0;
}

static void report_json(const struct catc_report *r, span list)
{
    json_t *bad = json_array(), *why = json_object();
    char line[24];
    for (size_t i = 0; i < r->n_bad && i < CATC_BAD_SHOWN; i++) {
        json_array_append_new(bad, json_integer((json_int_t)r->bad[i]));
        snprintf(line, sizeof line, "%llu", (unsigned long long)r->bad[i]);
        if (r->bad_why[i][0])
            json_object_set_new(why, line, lists_text(span_str(r->bad_why[i])));
    }
    json_t *o = json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:b, s:s}", "list", lists_text(list),
                          "file", lists_text(span_str(r->path)), "lines", (json_int_t)r->n_lines, "entries",
                          (json_int_t)r->n_entries, "held", (json_int_t)r->n_held, "bad",
                          (json_int_t)r->n_bad, "not_understood", (json_int_t)r->n_other, "bad_lines", bad,
                          "kept", r->kept, "why", r->why ? r->why : "");
    if (json_object_size(why))
        json_object_set(o, "bad_why", why);
    json_decref(why);
    ctl_print_json(o);
    json_decref(o);
}

static void report_text(const struct catc_report *r)
{
    ctl_print(stdout, span_str(r->path), false);
    printf(": %llu entries", (unsigned long long)r->n_entries);
    if (r->n_held)
        printf(", %llu held back", (unsigned long long)r->n_held);
    if (r->n_other)
        printf(", %llu not understood", (unsigned long long)r->n_other);
    if (r->n_bad)
        printf(", %llu bad:", (unsigned long long)r->n_bad);
    for (size_t i = 0; i < r->n_bad && i < CATC_BAD_SHOWN; i++)
        printf(" %llu", (unsigned long long)r->bad[i]);
    if (r->n_bad > CATC_BAD_SHOWN)
        printf(" ...");
    if (r->kept)
        printf("; the list of before stays: %s", r->why);
    printf("\n");
    for (size_t i = 0; i < r->n_bad && i < CATC_BAD_SHOWN; i++) {
        if (!r->bad_why[i][0])
            continue;
        ctl_print(stdout, span_str(r->path), false);
        printf(":%llu: ", (unsigned long long)r->bad[i]);
        ctl_print(stdout, span_str(r->bad_why[i]), false);
        printf("\n");
    }
}

static void build_report(const struct ctl *ctl, const struct lists_parts *p)
{
    unsigned long long names = catc_n_names(p->c), held = p->text.head.n_held;
    for (size_t i = 0; i < catc_n_files(p->c); i++) {
        const struct catc_report *r = catc_file_report(p->c, i);
        if (ctl->json)
            report_json(r, cattext_list_name(&p->text, r->list));
        else
            report_text(r);
    }
    if (ctl->json) {
        json_t *o =
            json_pack("{s:I, s:I, s:I, s:I, s:I}", "lists", (json_int_t)p->text.head.n_lists, "names",
                      (json_int_t)names, "held", (json_int_t)held, "bytes", (json_int_t)buf_len(&p->hot_buf),
                      "text_bytes", (json_int_t)buf_len(&p->text_buf));
        ctl_print_json(o);
        json_decref(o);
        return;
    }
    printf("%u lists, %llu names, %llu held back; %zu bytes, %zu of text\n", (unsigned)p->text.head.n_lists,
           names, held, buf_len(&p->hot_buf), buf_len(&p->text_buf));
}

static int build(const struct ctl *ctl, int argc, char **argv)
{
    struct lists_options o = {0};
    struct lists_parts before = {0}, p = {0};
    char text[4096];
    if (lists_options(&o, "build", argc, argv) != 0)
        return 1;
    if (o.n_sources == 0 || !o.out)
        return ctl_fail("lists build: SOURCE and -o FILE are both needed");
    if (snprintf(text, sizeof text, "%s.text", o.out) >= (int)sizeof text)
        return ctl_fail("%s: too long a name", o.out);
    int status = o.before ? lists_load(&o, &o.before, 1, &before) : 0;
    if (status == 0)
        status = lists_build(&o, o.before ? &before.text : NULL, &p);
    if (status == 0)
        status = write_whole(text, buf_span(&p.text_buf));
    if (status == 0)
        status = write_whole(o.out, buf_span(&p.hot_buf));
    if (status == 0)
        build_report(ctl, &p);
    lists_fini(&before);
    lists_fini(&p);
    return status;
}

/* ---- show, held ---- */

static void show_list(const struct ctl *ctl, const struct cattext *t, uint32_t i)
{
    const struct cattext_list *l = &t->lists[i];
    if (!ctl->json) {
        ctl_print(stdout, cattext_list_name(t, i), false);
        printf(": %llu live, %llu held back\n", (unsigned long long)l->n_live, (unsigned long long)l->n_held);
    }
    for (uint32_t k = l->first_file; k < l->first_file + l->n_files; k++) {
        const struct cattext_file *f = &t->files[k];
        if (ctl->json) {
            json_t *o = json_pack("{s:o, s:I, s:I, s:o, s:I, s:I, s:I, s:b}", "list",
                                  lists_text(cattext_list_name(t, i)), "live", (json_int_t)l->n_live, "held",
                                  (json_int_t)l->n_held, "file", lists_text(cattext_file_path(t, k)), "lines",
                                  (json_int_t)f->lines, "bad", (json_int_t)f->n_bad, "not_understood",
                                  (json_int_t)f->n_other, "kept", (f->flags & CATTEXT_KEPT) != 0);
            ctl_print_json(o);
            json_decref(o);
            continue;
        }
        printf("  ");
        ctl_print(stdout, cattext_file_path(t, k), false);
        printf(": %llu lines, %llu bad, %llu not understood%s\n", (unsigned long long)f->lines,
               (unsigned long long)f->n_bad, (unsigned long long)f->n_other,
               f->flags & CATTEXT_KEPT ? "; kept from before" : "");
    }
}

static void print_held(const struct ctl *ctl, const struct cattext *t, const struct cattext_entry *e)
{
    json_t *o = lists_entry_json(t, e);
    if (ctl->json) {
        json_object_set_new(o, "why", json_string(hold_text(e->held)));
        ctl_print_json(o);
    } else {
        ctl_print(stdout, cattext_file_path(t, e->file), false);
        printf(":%u: ", (unsigned)e->line);
        ctl_print(stdout, e->raw, false);
        printf("  %s\n", hold_text(e->held));
    }
    json_decref(o);
}

static void on_held(json_t *answer, void *arg)
{
    const struct ctl *ctl = arg;
    json_t *h = json_object_get(answer, "held");
    const char *file = json_string_value(json_object_get(h, "file"));
    const char *entry = json_string_value(json_object_get(h, "entry"));
    const char *why = json_string_value(json_object_get(h, "why"));
    if (ctl->json) {
        ctl_print_json(h);
        return;
    }
    ctl_print(stdout, span_str(file), false);
    printf(":%lld: ", (long long)json_integer_value(json_object_get(h, "line")));
    ctl_print(stdout, span_str(entry), false);
    printf("  %s\n", why ? why : "");
}

static int show(const struct ctl *ctl, const char *command, int argc, char **argv)
{
    struct lists_options o = {0};
    struct lists_parts p;
    struct cattext_entry e;
    bool held = strcmp(command, "held") == 0;
    if (lists_options(&o, command, argc, argv) != 0)
        return 1;
    if (o.n_sources == 0 && held) {
        struct ctl copy = *ctl;
        return ctl_ask(ctl, json_pack("{s:s, s:s}", "cmd", "show", "what", "held"), on_held, &copy);
    }
    if (o.n_sources == 0)
        return ctl_fail("lists show: which list, built file or policy?");
    int status = lists_load(&o, o.source, o.n_sources, &p);
    for (uint32_t i = 0; status == 0 && !held && i < p.text.head.n_lists; i++)
        show_list(ctl, &p.text, i);
    for (uint64_t i = 0; status == 0 && held && cattext_held(&p.text, i, &e); i++)
        print_held(ctl, &p.text, &e);
    lists_fini(&p);
    return status;
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
    const char *verb = argc ? argv[0] : "";
    if (strcmp(verb, "build") == 0)
        return build(ctl, argc - 1, argv + 1);
    if (strcmp(verb, "diff") == 0)
        return lists_diff(ctl, argc - 1, argv + 1);
    if (strcmp(verb, "show") == 0 || strcmp(verb, "held") == 0)
        return show(ctl, verb, argc - 1, argv + 1);
    return ctl_fail("lists: build, diff, show or held; perronctl lists --help");
}

const struct ctl_command ctl_lists = {
    .name = "lists",
    .usage =
        "  lists build SOURCE... -o FILE [--before FILE] [GUARD]\n"
        "                             lists into FILE and FILE.text; SOURCE: a UT1 list or tree, or "
        "KIND:FILE\n"
        "                             (KIND: file, urls, hosts, rpz, adblock)\n"
        "  lists diff OLD NEW [GUARD] entries added and removed, those that want a look first; status 2 "
        "when\n"
        "                             there are such; OLD, NEW: SOURCE, built FILE or a policy (*.policy)\n"
        "  lists show SOURCE          its lists, entries and bad lines\n"
        "  lists held [SOURCE]        what is held back (without SOURCE: by the gateway)\n"
        "                             GUARD: --own NAME... --popular FILE --seen FILE --accepted FILE\n",
    .run = run,
};
