/* perronctl show: processes, counters, flows, one flow with its states. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gw/base/obj.h"
#include "gw/ctl/ctl.h"
#include "gw/ctl/moment.h"

static const char *text_of(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static json_int_t number_of(json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void on_json(json_t *answer, void *arg)
{
    (void)arg;
    ctl_print_json(answer);
}

/* ---- processes ---- */

static void on_process(json_t *answer, void *arg)
{
    json_t *p = json_object_get(answer, "process");
    bool *headed = arg;
    char name[32];
    if (!*headed)
        printf("%-10s %7s %6s %-9s %9s %8s\n", "process", "pid", "uid", "state", "up", "restarts");
    *headed = true;
    if (strcmp(text_of(p, "role"), "worker") == 0)
        snprintf(name, sizeof name, "worker %d", (int)number_of(p, "index"));
    else
        snprintf(name, sizeof name, "%s", text_of(p, "role"));
    printf("%-10s %7d %6d %-9s %7.1f s %8d\n", name, (int)number_of(p, "pid"), (int)number_of(p, "uid"),
           text_of(p, "state"), (double)number_of(p, "up_ms") / 1000, (int)number_of(p, "restarts"));
}

/* ---- counters ---- */

/* Adds the workers up; what only the master knows stands as it is. */
static void on_counters(json_t *answer, void *arg)
{
    json_t *sum = arg, *data = json_object_get(answer, "data");
    for (void *it = json_object_iter(data); it; it = json_object_iter_next(data, it)) {
        const char *key = json_object_iter_key(it);
        json_int_t more = json_integer_value(json_object_iter_value(it));
        json_object_set_new(sum, key, json_integer(number_of(sum, key) + more));
    }
    json_object_update(sum, json_object_get(answer, "gateway"));
}

static void print_counters(json_t *sum)
{
    for (void *it = json_object_iter(sum); it; it = json_object_iter_next(sum, it)) {
        json_t *value = json_object_iter_value(it);
        if (json_is_integer(value))
            printf("%-24s %" PRId64 "\n", json_object_iter_key(it), (int64_t)json_integer_value(value));
        else
            printf("%-24s %s\n", json_object_iter_key(it), json_string_value(value));
    }
}

static int counters(const struct ctl *ctl, json_t *request)
{
    json_t *sum = json_object();
    int status = ctl_ask(ctl, request, on_counters, sum);
    if (ctl->json)
        ctl_print_json(sum);
    else
        print_counters(sum);
    json_decref(sum);
    return status;
}

/* ---- snapshots ---- */

static void on_snapshot(json_t *answer, void *arg)
{
    json_t *s = json_object_get(answer, "snapshot");
    bool *headed = arg;
    char when[MOMENT_TEXT];
    if (!s) {
        fprintf(stderr, "%d kept snapshots are damaged and left out\n", (int)number_of(answer, "damaged"));
        return;
    }
    moment_text(number_of(s, "loaded"), when);
    if (!*headed)
        printf("%-16s %-24s %-10s %-10s %s\n", "snapshot", "loaded", "who", "state", "file");
    *headed = true;
    const char *state = json_is_true(json_object_get(s, "in_force")) ? "in force"
                        : json_is_true(json_object_get(s, "whole"))  ? "whole"
                                                                     : "lists gone";
    printf("%-16.16s %-24s %-10s %-10s ", text_of(s, "hash"), when, text_of(s, "who"), state);
    ctl_print(stdout, span_str(text_of(s, "file")), false);
    putchar('\n');
}

/* ---- flows ---- */

static void one_flow(json_t *f)
{
    char from[64], to[64];
    snprintf(from, sizeof from, "%s:%d", text_of(f, "src"), (int)number_of(f, "src_port"));
    snprintf(to, sizeof to, "%s:%d", text_of(f, "dst"), (int)number_of(f, "dst_port"));
    printf("%-16" PRId64 " %-10s %-9s %-24s %-24s %8.1f s %10" PRId64 " %10" PRId64 "  ",
           (int64_t)number_of(f, "id"), text_of(f, "state"), text_of(f, "mode"), from, to,
           (double)number_of(f, "age_ms") / 1000, (int64_t)number_of(f, "bytes_up"),
           (int64_t)number_of(f, "bytes_down"));
    ctl_print(stdout, span_str(text_of(f, "name")), false);
    putchar('\n');
}

static void on_flows(json_t *answer, void *arg)
{
    bool *headed = arg;
    json_t *flows = json_object_get(answer, "data");
    if (!*headed)
        printf("%-16s %-10s %-9s %-24s %-24s %10s %10s %10s  %s\n", "id", "state", "mode", "from", "to",
               "age", "up", "down", "name");
    *headed = true;
    for (size_t i = 0; i < json_array_size(flows); i++)
        one_flow(json_array_get(flows, i));
}

/* ---- origins that ask for a client certificate ---- */

static void on_asking(json_t *answer, void *arg)
{
    bool *headed = arg;
    json_t *rows = json_object_get(answer, "data");
    if (!*headed)
        printf("%-40s %5s %-24s  %s\n", "address", "port", "exempt until", "name");
    *headed = true;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *r = json_array_get(rows, i);
        char when[MOMENT_TEXT];
        moment_text(number_of(r, "until"), when);
        printf("%-40s %5d %-24s  ", text_of(r, "address"), (int)number_of(r, "port"), when);
        ctl_print(stdout, span_str(text_of(r, "name")), false);
        putchar('\n');
    }
}

/* One flow: whatever the worker says about it, a line a fact. */
static void on_flow(json_t *answer, void *arg)
{
    json_t *f = json_object_get(answer, "data");
    bool *found = arg;
    if (!json_is_object(f))
        return;
    *found = true;
    for (void *it = json_object_iter(f); it; it = json_object_iter_next(f, it)) {
        AUTO_FREE char *text =
            json_dumps(json_object_iter_value(it), JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
        printf("%-14s %s\n", json_object_iter_key(it), text ? text : "");
    }
}

static int flow(const struct ctl *ctl, const char *id)
{
    char what[64];
    uint64_t n;
    bool found = false;
    if (!span_to_u64(span_str(id), INT64_MAX, &n))
        return ctl_fail("show flow: %s is no number of a flow; perronctl show flows lists them", id);
    snprintf(what, sizeof what, "flow %s", id);
    int status = ctl_ask(ctl, json_pack("{s:s, s:s}", "cmd", "show", "what", what),
                         ctl->json ? on_json : on_flow, &found);
    if (status == 0 && !found && !ctl->json)
        return ctl_fail("no flow %s; it has ended, and the log has it", id);
    return status;
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
    const char *what = argc ? argv[0] : "";
    bool headed = false;
    if (strcmp(what, "flow") == 0 && argc == 2)
        return flow(ctl, argv[1]);
    if (strcmp(what, "rules") == 0)
        return ctl_show_rules(ctl, argc - 1, argv + 1);
    if (strcmp(what, "breaks") == 0 && argc == 1)
        return ctl_show_breaks(ctl);
    if (strcmp(what, "revocation") == 0 && argc == 1)
        return ctl_show_revocation(ctl);
    if (argc != 1)
        return ctl_fail(
            "show: processes, counters, rules, snapshots, breaks, asking, revocation, flows or flow ID");
    json_t *request = json_pack("{s:s, s:s}", "cmd", "show", "what", what);
    if (strcmp(what, "counters") == 0)
        return counters(ctl, request);
    if (strcmp(what, "processes") == 0)
        return ctl_ask(ctl, request, ctl->json ? on_json : on_process, &headed);
    if (strcmp(what, "snapshots") == 0)
        return ctl_ask(ctl, request, ctl->json ? on_json : on_snapshot, &headed);
    if (strcmp(what, "flows") == 0)
        return ctl_ask(ctl, request, ctl->json ? on_json : on_flows, &headed);
    if (strcmp(what, "asking") == 0)
        return ctl_ask(ctl, request, ctl->json ? on_json : on_asking, &headed);
    json_decref(request);
    return ctl_fail("show: %s is unknown; there are processes, counters, rules, snapshots, breaks, asking, "
                    "revocation, flows and flow ID",
                    what);
}

const struct ctl_command ctl_show = {
    .name = "show",
    .usage =
        "  show processes             every process: pid, user, state, restarts\n"
        "  show counters              what the workers counted, added up\n"
        "  show rules [--unused [DAYS]]\n"
        "                             rules with hits, last hit, owner, end; those never hit (for so "
        "many days)\n"
        "  show snapshots             policies that were in force, to go back to with reload --to\n"
        "  show breaks                names and devices whose connections break: why, how often, what to do\n"
        "  show asking                origins exempt because they ask for a client certificate, and "
        "until when\n"
        "  show revocation            revocation lists of origins' authorities: entries, dates, sources\n"
        "  show flows                 open flows\n"
        "  show flow ID               one flow: its facts and the states it went through\n",
    .run = run,
};
