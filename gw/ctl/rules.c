/* perronctl show rules: which rules do anything, whose they are, until when they hold. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/ctl/ctl.h"

enum { DAY_S = 86400, UNUSED_DAYS_MOST = 36500 };

struct wish {
    const struct ctl *ctl;
    bool unused, headed;
    int64_t before_s; /* with `unused`: the last hit is older than this, or there is none */
    unsigned n;
};

static const char *text_of(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

/* In the policy's time zone, with its distance from UTC. */
static const char *moment(json_t *o, const char *key)
{
    const char *text = text_of(o, key);
    return *text ? text : "-";
}

static void on_exempt(const struct wish *w, json_t *answer)
{
    json_t *e = json_object_get(answer, "exempt");
    if (w->ctl->json) {
        ctl_print_json(answer);
        return;
    }
    printf("zone %s is exempt until %s: nothing is intercepted there, whatever `tls` says (by ",
           text_of(e, "zone"), moment(e, "until_local"));
    ctl_print(stdout, span_str(text_of(e, "by")), false);
    printf(": ");
    ctl_print(stdout, span_str(text_of(e, "reason")), false);
    printf(")\n");
}

static void on_rule(json_t *answer, void *arg)
{
    struct wish *w = arg;
    if (json_object_get(answer, "exempt")) {
        on_exempt(w, answer);
        return;
    }
    json_t *r = json_object_get(answer, "rule");
    json_t *last = json_object_get(r, "last");
    if (!r || (w->unused && json_is_integer(last) && json_integer_value(last) >= w->before_s))
        return;
    w->n++;
    if (w->ctl->json) {
        ctl_print_json(answer);
        return;
    }
    if (!w->headed)
        printf("%12s  %-23s  %-23s  %-12s  %-8s  %s\n", "hits", "last hit", "until", "owner", "block",
               "rule");
    w->headed = true;
    printf("%12" PRId64 "  %-23s  %-23s  ", (int64_t)json_integer_value(json_object_get(r, "hits")),
           moment(r, "last_local"), moment(r, "until_local"));
    ctl_cell(*text_of(r, "owner") ? text_of(r, "owner") : "-", 12);
    ctl_cell(text_of(r, "block"), 8);
    ctl_print(stdout, span_str(text_of(r, "text")), false);
    printf("%s   ", json_is_true(json_object_get(r, "observed")) ? "   [observed]" : "");
    ctl_print(stdout, span_str(text_of(r, "file")), false);
    printf(":%d\n", (int)json_integer_value(json_object_get(r, "line")));
}

int ctl_show_rules(const struct ctl *ctl, int argc, char **argv)
{
    struct wish w = {.ctl = ctl};
    uint64_t days = 0;
    if (argc > 0 && strcmp(argv[0], "--unused") == 0) {
        w.unused = true;
        if (argc > 1 && !span_to_u64(span_str(argv[1]), UNUSED_DAYS_MOST, &days))
            return ctl_fail("show rules --unused: %s is no number of days", argv[1]);
        w.before_s = days ? clock_wall_s() - (int64_t)days * DAY_S : INT64_MIN;
        argc = argc > 2 ? argc - 2 : 0;
    }
    if (argc)
        return ctl_fail("show rules: --unused [DAYS], or nothing more");
    int status = ctl_ask(ctl, json_pack("{s:s, s:s}", "cmd", "show", "what", "rules"), on_rule, &w);
    if (status == 0 && w.unused && w.n == 0 && !ctl->json)
        printf("every rule has been hit\n");
    return status;
}
