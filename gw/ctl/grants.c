/* perronctl grant, grants, revoke, exempt: approved requests and the emergency lever. A change is shown first
 * and asked about on a terminal; a script says --yes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/ctl/moment.h"
#include "gw/ctl/touch.h"
#include "gw/proc/grants_check.h"
#include "gw/siem/code.h"

/* What the words of a command said. */
struct wish {
    const char *what, *scope, *who, *until, *reason, *by, *journal;
    bool yes, all;
    char name[LIM_NAME_BYTES + 1], person[RECORD_TEXT + 1]; /* what a decision code stands for */
};

/* An answer on its way to the terminal; `shown`: the grant in it is wanted back. */
struct answering {
    const struct ctl *ctl;
    json_t *shown;
    bool keep;
};

static const char *text_of(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

/* ---- answers ---- */

/* Who took it back, and why. */
static void print_end(json_t *g, bool ended)
{
    char at[MOMENT_TEXT];
    json_t *revoked = json_object_get(g, "revoked");
    if (revoked) {
        moment_text(json_integer_value(revoked), at);
        printf("  (revoked %s by ", at);
        ctl_print(stdout, span_str(text_of(g, "revoked_by")), false);
        printf(": ");
        ctl_print(stdout, span_str(text_of(g, "revoked_reason")), false);
        putchar(')');
    } else if (ended) {
        printf("  (ended)");
    }
}

static void print_grant(json_t *g)
{
    char until[MOMENT_TEXT], whom[640];
    bool ended = json_is_true(json_object_get(g, "ended"));
    const char *who = text_of(g, "who");
    snprintf(whom, sizeof whom, "%s%s%s", text_of(g, "scope"), *who ? " " : "", who);
    if (json_integer_value(json_object_get(g, "id")))
        printf("%6d  ", (int)json_integer_value(json_object_get(g, "id")));
    moment_text(json_integer_value(json_object_get(g, "until")), until);
    ctl_cell(text_of(g, "kind"), 8);
    ctl_cell(text_of(g, "target"), 30);
    ctl_cell(whom, 24);
    printf("until %s  by ", until);
    ctl_print(stdout, span_str(text_of(g, "by")), false);
    printf(": ");
    ctl_print(stdout, span_str(text_of(g, "reason")), false);
    print_end(g, ended);
    putchar('\n');
}

static void on_line(json_t *answer, void *arg)
{
    struct answering *a = arg;
    json_t *g = json_object_get(answer, "grant");
    if (g && a->keep) {
        json_decref(a->shown);
        a->shown = json_incref(g);
    }
    if (a->ctl->json)
        ctl_print_json(answer);
    else if (g)
        print_grant(g);
}

static int ask(const struct ctl *ctl, json_t *request, json_t **shown)
{
    struct answering a = {.ctl = ctl, .keep = shown != NULL};
    if (!request)
        return ctl_fail("a word that is not UTF-8 cannot be sent");
    json_object_set_new(request, "cmd", json_string("grants"));
    int status = ctl_ask(ctl, request, on_line, &a);
    if (shown)
        *shown = a.shown;
    return status;
}

/* ---- words ---- */

/* Takes one option with its value; false: it is none of ours, or lacks its value. */
static bool take_option(struct wish *w, int *i, int argc, char **argv)
{
    const struct {
        const char *name;
        const char **to;
    } options[] = {
        {"--until", &w->until}, {"--reason", &w->reason}, {"--by", &w->by}, {"--journal", &w->journal}};
    for (size_t k = 0; k < N_ELEMS(options); k++) {
        if (strcmp(argv[*i], options[k].name) != 0)
            continue;
        if (*i + 1 >= argc)
            return false;
        *options[k].to = argv[++*i];
        return true;
    }
    return false;
}

/* --for SCOPE [NAME]; a decision code knows the name where there is none. */
static bool take_for(struct wish *w, int *i, int argc, char **argv)
{
    if (*i + 1 >= argc || argv[*i + 1][0] == '-')
        return false;
    w->scope = argv[++*i];
    w->who = "";
    bool alone = strcmp(w->scope, "all") == 0 || strcmp(w->scope, "me") == 0;
    if (!alone && *i + 1 < argc && argv[*i + 1][0] != '-')
        w->who = argv[++*i];
    return true;
}

static const char *read_word(struct wish *w, int *i, int argc, char **argv)
{
    if (strcmp(argv[*i], "--yes") == 0)
        w->yes = true;
    else if (strcmp(argv[*i], "--all") == 0)
        w->all = true;
    else if (strcmp(argv[*i], "--for") == 0)
        return take_for(w, i, argc, argv)
                   ? NULL
                   : "--for wants user NAME, address ADDRESS, group NAME, zone NAME, or all; with a decision "
                     "code me too";
    else if (argv[*i][0] == '-')
        return take_option(w, i, argc, argv) ? NULL : "an option is unknown or lacks its value; see --help";
    else if (w->what)
        return "a word too many; see --help (a text of several words wants quotes)";
    else
        w->what = argv[*i];
    return NULL;
}

/* A sentence, or NULL. */
static const char *read_words(struct wish *w, int argc, char **argv)
{
    const char *wrong = NULL;
    for (int i = 0; i < argc && !wrong; i++)
        wrong = read_word(w, &i, argc, argv);
    return wrong;
}

/* On a terminal a person decides; elsewhere nothing is assumed. */
static int confirm(const struct wish *w)
{
    char answer[16] = "";
    if (w->yes)
        return 0;
    if (!isatty(STDIN_FILENO))
        return ctl_fail("nobody can be asked here; --yes if it shall be so");
    fprintf(stderr, "Shall it be so? [y/N] ");
    if (!fgets(answer, sizeof answer, stdin) || (answer[0] != 'y' && answer[0] != 'Y'))
        return ctl_fail("nothing was changed");
    return 0;
}

/* ---- grant ---- */

/* "A7K-2Q9F-XMH", also where a character is mistyped; in small letters a category may look like that, and it
 * is a code where its characters fit. */
static bool is_code(const char *what)
{
    unsigned node;
    uint64_t number;
    bool small = false;
    if (strlen(what) != CODE_TEXT - 1)
        return false;
    for (size_t i = 0; what[i]; i++) {
        bool hyphen = i == 3 || i == 8, low = what[i] >= 'a' && what[i] <= 'z';
        bool letter = low || (what[i] >= 'A' && what[i] <= 'Z') || (what[i] >= '0' && what[i] <= '9');
        if (hyphen ? what[i] != '-' : !letter)
            return false;
        small |= low;
    }
    return !small || code_parse(span_str(what), &node, &number) == RC_OK;
}

static const char *kind_of(const char *what)
{
    span s = span_str(what);
    if (span_has_prefix(s, SPAN("https://")) || span_has_prefix(s, SPAN("http://")))
        return "url";
    return strchr(what, '.') || strchr(what, ':') ? "name" : "category";
}

static void copy(char *out, size_t cap, span s)
{
    size_t n = s.n < cap ? s.n : cap - 1;
    if (n)
        memcpy(out, s.p, n);
    out[n] = '\0';
}

/* The person of the record, in the scope that was asked for: a record has a pseudonym in place of a user, so
 * `me` is the device. */
static bool person_of(struct wish *w, const struct record *r)
{
    char text[ADDR_TEXT];
    if (strcmp(w->scope, "me") == 0) {
        w->scope = "address";
        copy(w->person, sizeof w->person, span_str(addr_text(&r->facts.src, text)));
    } else if (strcmp(w->scope, "zone") == 0 && !*w->who) {
        copy(w->person, sizeof w->person, r->zone);
    } else if (strcmp(w->scope, "group") == 0 && !*w->who && r->facts.n_groups == 1) {
        copy(w->person, sizeof w->person, r->groups[0]);
    } else {
        return *w->who || strcmp(w->scope, "all") == 0;
    }
    w->who = w->person;
    return true;
}

/* A code stands for the host that was stopped, and for who asked. */
static int take_code(const struct ctl *ctl, struct wish *w)
{
    static struct record r;
    struct buf bytes = {0};
    char text[ADDR_TEXT];
    AUTO_CLOSE int dir = journal_open_dir(ctl, w->journal);
    int status = dir < 0 || !touch_find(dir, w->what, &bytes, &r);
    if (status == 0 && r.verdict.forbid)
        status = ctl_fail("%s was stopped by a `forbid` rule, which no grant lifts: %.*s", w->what,
                          (int)r.rule.n, (const char *)r.rule.p);
    if (status == 0 && !person_of(w, &r))
        status = ctl_fail("--for %s: which one? The decision does not say", w->scope);
    copy(w->name, sizeof w->name,
         r.facts.name.n || !r.facts.dst.family ? r.facts.name : span_str(addr_text(&r.facts.dst, text)));
    if (status == 0 && !w->name[0])
        status = ctl_fail("the decision %s was about no host", w->what);
    w->what = w->name;
    buf_fini(&bytes);
    return status;
}

static json_t *request_of(const struct wish *w, const char *kind, int64_t until, bool dry)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:b}", "op", "add", "kind", kind, "target",
                     w->what, "scope", w->scope, "who", w->who, "until", (json_int_t)until, "reason",
                     w->reason, "by", w->by, "dry", dry);
}

/* Whom it would touch, for a person who is to say yes. */
static void show_touched(const struct ctl *ctl, const struct wish *w, json_t *shown)
{
    struct grant g = {
        .id = 1, .target = span_str(text_of(shown, "target")), .who = span_str(text_of(shown, "who"))};
    char path[4096];
    snprintf(path, sizeof path, "%s/journal", ctl->dir);
    AUTO_CLOSE int dir = !w->journal && access(path, F_OK) != 0 ? -1 : journal_open_dir(ctl, w->journal);
    if (dir >= 0 && grant_kind_of(text_of(shown, "kind"), &g.kind) &&
        grant_scope_of(text_of(shown, "scope"), &g.scope))
        touch_show(dir, &g);
}

/* Shown, asked about, done. */
static int add(const struct ctl *ctl, const struct wish *w, const char *kind, int64_t until)
{
    json_t *shown = NULL;
    int status = ask(ctl, request_of(w, kind, until, true), &shown);
    if (status == 0 && !w->yes)
        show_touched(ctl, w, shown);
    json_decref(shown);
    if (status == 0)
        status = confirm(w);
    return status ? status : ask(ctl, request_of(w, kind, until, false), NULL);
}

static int run_grant(const struct ctl *ctl, int argc, char **argv)
{
    struct wish w = {0};
    int64_t until;
    const char *wrong = read_words(&w, argc, argv);
    if (wrong)
        return ctl_fail("grant: %s", wrong);
    if (!w.what || !w.scope || !w.until || !w.reason || !w.by || w.all)
        return ctl_fail(
            "grant wants WHAT --for ... --until TIME --reason TEXT --by WHO; perronctl grant --help");
    if (!moment_parse(w.until, clock_wall_s(), &until))
        return ctl_fail("--until %s: " MOMENT_FORMS, w.until);
    if (is_code(w.what))
        return take_code(ctl, &w) ? 1 : add(ctl, &w, kind_of(w.what), until);
    if (strcmp(w.scope, "me") == 0)
        return ctl_fail("--for me goes with a decision code: from it one knows who asked");
    return add(ctl, &w, kind_of(w.what), until);
}

static int run_grants(const struct ctl *ctl, int argc, char **argv)
{
    struct wish w = {0};
    if (read_words(&w, argc, argv) || argc > w.all)
        return ctl_fail("grants: --all, or nothing more");
    return ask(ctl, json_pack("{s:s, s:b}", "op", "list", "all", w.all), NULL);
}

static int run_revoke(const struct ctl *ctl, int argc, char **argv)
{
    struct wish w = {0};
    uint64_t id;
    const char *wrong = read_words(&w, argc, argv);
    if (wrong)
        return ctl_fail("revoke: %s", wrong);
    if (!w.what || !span_to_u64(span_str(w.what), INT32_MAX, &id) || id == 0)
        return ctl_fail("revoke wants the number of a grant; perronctl grants lists them");
    if (!w.by || !w.reason || w.until || w.scope || w.journal || w.all)
        return ctl_fail("revoke wants --by WHO --reason TEXT, and nothing more");
    return ask(ctl,
               json_pack("{s:s, s:I, s:s, s:s}", "op", "revoke", "id", (json_int_t)id, "by", w.by, "reason",
                         w.reason),
               NULL);
}

/* ---- exempt ---- */

static void on_exempt(json_t *answer, void *arg)
{
    json_t *g = json_object_get(answer, "grant");
    if (g && strcmp(text_of(g, "kind"), "exempt") == 0)
        on_line(answer, arg);
}

static int list_exempt(const struct ctl *ctl)
{
    struct answering a = {.ctl = ctl};
    return ctl_ask(ctl, json_pack("{s:s, s:s}", "cmd", "grants", "op", "list"), on_exempt, &a);
}

/* exempt zone X for 1h ... | exempt end zone X ... | exempt */
static int run_exempt(const struct ctl *ctl, int argc, char **argv)
{
    struct wish w = {.yes = true}; /* in an emergency nobody wants to be asked */
    bool end = argc > 0 && strcmp(argv[0], "end") == 0;
    int at = end ? 1 : 0;
    int64_t until;
    if (argc == 0)
        return list_exempt(ctl);
    if (argc < at + 2 || strcmp(argv[at], "zone") != 0)
        return ctl_fail("exempt zone NAME for 1h ..., exempt end zone NAME ..., or exempt alone for a list");
    const char *zone = argv[at + 1];
    at += 2;
    const char *until_word = NULL;
    if (!end && argc > at + 1 && strcmp(argv[at], "for") == 0) {
        w.until = until_word = argv[at + 1];
        at += 2;
    }
    const char *wrong = read_words(&w, argc - at, argv + at);
    if (wrong || w.what)
        return ctl_fail("exempt: %s", wrong ? wrong : "a word too many; see --help");
    if (!w.by || !w.reason || w.scope || w.journal || w.all || (w.until && w.until != until_word))
        return ctl_fail("exempt wants --by WHO --reason TEXT, and nothing more");
    w.scope = "zone";
    if (end)
        return ask(
            ctl,
            json_pack("{s:s, s:s, s:s, s:s}", "op", "revoke", "zone", zone, "by", w.by, "reason", w.reason),
            NULL);
    if (!w.until || !moment_parse(w.until, clock_wall_s(), &until))
        return ctl_fail("exempt zone %s for how long? " MOMENT_FORMS, zone);
    w.what = w.who = zone;
    return ask(ctl, request_of(&w, "exempt", until, false), NULL);
}

const struct ctl_command ctl_grant = {
    .name = "grant",
    .usage =
        "  grant CODE|URL|NAME|CATEGORY --for user|address|group|zone NAME | --for me|all\n"
        "        --until TIME --reason TEXT --by WHO [--yes] [--journal DIR]\n"
        "                             lets these people past `block` and `warn`, behind every `forbid`\n",
    .run = run_grant,
};
const struct ctl_command ctl_grants = {
    .name = "grants",
    .usage = "  grants [--all]             grants in force, or all there ever were\n",
    .run = run_grants,
};
const struct ctl_command ctl_revoke = {
    .name = "revoke",
    .usage = "  revoke NUMBER --by WHO --reason TEXT\n"
             "                             takes a grant back\n",
    .run = run_revoke,
};
const struct ctl_command ctl_exempt = {
    .name = "exempt",
    .usage =
        "  exempt zone NAME for TIME --by WHO --reason TEXT\n"
        "                             nothing of this zone is intercepted for a while (24 hours at most)\n"
        "  exempt end zone NAME --by WHO --reason TEXT\n"
        "  exempt                     zones that are exempt now\n",
    .run = run_exempt,
};
