/* perronctl check: what the gateway would say about a policy file, without a gateway. Exit status: 0 when
 * there is no error; 1 when there is one; 2 when --coverage or --mutate find something wanting. */
#include "gw/ctl/check.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/proc/progress.h"
#include "policy/compile.h"
#include "policy/diag.h"

enum { STATUS_WANTING = 2 };

static bool has_interface(const char *name)
{
    return if_nametoindex(name) != 0;
}

/* With --json: one object an error or warning. */
static void said(void *arg, const struct diag_item *item)
{
    struct check *c = arg;
    json_t *list = c->answer ? json_object_get(c->answer, item->error ? "errors" : "warnings") : NULL;
    if (!list)
        return;
    json_t *o = json_pack("{s:o, s:i, s:i, s:o}", "file", check_string(item->file), "line", (int)item->line,
                          "column", (int)item->column, "sentence", check_string(span_str(item->sentence)));
    if (item->hint)
        json_object_set_new(o, "hint", check_string(span_str(item->hint)));
    json_array_append_new(list, o);
}

static int report(struct check *c, const char *file, enum rc rc, span diag)
{
    if (c->answer) {
        json_object_set_new(c->answer, "ok", json_boolean(rc == RC_OK));
        json_object_set_new(c->answer, "text", check_string(diag));
        ctl_print_json(c->answer);
    } else {
        ctl_print(rc == RC_OK ? stdout : stderr, diag, true);
        if (rc == RC_OK)
            ctl_print(stdout, buf_span(&c->text), true);
        if (rc == RC_OK && diag.n == 0 && buf_len(&c->text) == 0)
            printf("%s: ok\n", file);
    }
    if (rc != RC_OK && diag.n == 0)
        return ctl_fail("%s: %s", file, rc_text(rc));
    return rc != RC_OK ? 1 : c->wanting ? STATUS_WANTING : 0;
}

static int check_file(struct check *c, bool print, const char *file)
{
    struct compile_opts opts = {.check_only = true,
                                .print = print,
                                .time_s = c->now,
                                .has_interface = has_interface,
                                .progress = c->progress,
                                .built = check_more,
                                .said = said,
                                .arg = c};
    int fds[SNAP_PARTS];
    uint8_t hash[SNAP_HASH];
    struct buf diag = {0};
    if (c->ctl->json)
        c->answer = json_pack("{s:s, s:[], s:[]}", "file", file, "errors", "warnings");
    enum rc rc = policy_compile(file, &opts, fds, hash, &diag);
    progress_over();
    int status = report(c, file, rc == RC_OK ? c->rc : rc, buf_span(&diag));
    json_decref(c->answer);
    buf_fini(&c->text);
    buf_fini(&diag);
    return status;
}

struct asked {
    bool format, in_place, print;
    int n_files; /* moved to the front of argv */
};

static bool take_words(struct check *c, struct asked *a, int argc, char **argv)
{
    const struct {
        const char *word;
        bool *to;
    } flags[] = {{"-p", &a->print},
                 {"--format", &a->format},
                 {"--in-place", &a->in_place},
                 {"--coverage", &c->coverage},
                 {"--mutate", &c->mutate},
                 {"--examples", &c->examples}};
    for (int i = 0; i < argc; i++) {
        size_t k = 0;
        while (k < N_ELEMS(flags) && strcmp(argv[i], flags[k].word) != 0)
            k++;
        if (k < N_ELEMS(flags))
            *flags[k].to = true;
        else if (argv[i][0] == '-')
            return ctl_fail("check: unexpected %s; perronctl check --help", argv[i]), false;
        else
            argv[a->n_files++] = argv[i];
    }
    return true;
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
    struct check c = {.ctl = ctl, .now = clock_wall_s(), .progress = progress_shown()};
    struct asked a = {0};
    if (!take_words(&c, &a, argc, argv))
        return 1;
    if (a.n_files == 0)
        return ctl_fail("check: which file?");
    if (a.in_place && !a.format)
        return ctl_fail("check: --in-place goes with --format");
    if (a.format && (a.print || c.coverage || c.mutate || c.examples || ctl->json))
        return ctl_fail("check: --format goes with --in-place alone");
    if (a.format)
        return check_format(a.in_place, a.n_files, argv);
    if (a.n_files > 1)
        return ctl_fail("check: unexpected %s; perronctl check --help", argv[1]);
    return check_file(&c, a.print, argv[0]);
}

const struct ctl_command ctl_check = {
    .name = "check",
    .usage = "  check [-p] [--coverage] [--mutate] [--examples] FILE\n"
             "                             errors and warnings of a policy file; -p: its normal form with\n"
             "                             every default; rules that no expectation touches; changes that\n"
             "                             none notices; a flow for each rule\n"
             "  check --format [--in-place] FILE ...\n"
             "                             the file with even spacing and order, comments kept\n",
    .run = run,
};
