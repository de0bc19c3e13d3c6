/* perronctl ca: makes the interception CA, shows it, and writes its root in the form that each kind of client
 * takes. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "certs/ca.h"
#include "certs/untrusted.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/ctl/ctl.h"
#include "gw/proc/sandbox.h"

enum { EXCLUDE_MAX = 32 };

/* Prints what a function of certs/ca wrote. */
static int report(const struct ctl *ctl, enum rc rc, struct buf *text, struct buf *err)
{
    int status = rc == RC_OK ? 0 : ctl_error_line(buf_span(err), rc);
    if (rc == RC_OK && ctl->json && (buf_len(text) == 0 || buf_span(text).p[0] != '{')) {
        json_t *o = json_pack("{s:b, s:s#}", "ok", 1, "text",
                              buf_len(text) ? (const char *)buf_span(text).p : "", (int)buf_len(text));
        ctl_print_json(o);
        json_decref(o);
    } else if (rc == RC_OK) {
        ctl_print(stdout, buf_span(text), true);
    }
    buf_fini(text);
    buf_fini(err);
    return status;
}

static int init(const struct ctl *ctl, int argc, char **argv)
{
    struct buf text = {0}, err = {0};
    span exclude[EXCLUDE_MAX];
    struct ca_plan plan = {
        .signer_uid = sandbox_uid(ROLE_SIGNER, 0), .now_s = clock_wall_s(), .exclude = exclude};
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--org") == 0 && i + 1 < argc)
            plan.org = span_str(argv[++i]);
        else if (strcmp(argv[i], "--exclude") == 0 && i + 1 < argc && plan.n_exclude < EXCLUDE_MAX)
            exclude[plan.n_exclude++] = span_str(argv[++i]);
        else
            return ctl_fail("ca init: cannot read %s; perronctl ca --help", argv[i]);
    }
    if (plan.org.n == 0)
        return ctl_fail("ca init: --org NAME is missing: clients see it as the issuer of every certificate");
    if (mkdir(ctl->dir, 0711) == 0 && chmod(ctl->dir, 0711) < 0)
        return ctl_fail("%s: cannot be made", ctl->dir);
    enum rc rc = ca_init_plan(ctl->dir, &plan, &err);
    if (rc == RC_OK)
        rc = untrusted_open(ctl->dir, plan.now_s, &text, &err);
    buf_clear(&text);
    if (rc == RC_OK)
        rc = ca_show(ctl->dir, ctl->json, &text, &err);
    return report(ctl, rc, &text, &err);
}

static int show(const struct ctl *ctl)
{
    struct buf text = {0}, err = {0};
    enum rc rc = ca_show(ctl->dir, ctl->json, &text, &err);
    return report(ctl, rc, &text, &err);
}

static int export(const struct ctl *ctl, int argc, char **argv)
{
    struct buf text = {0}, err = {0};
    const char *kind = NULL, *out = NULL;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--for") == 0 && i + 1 < argc)
            kind = argv[++i];
        else if ((strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--out") == 0) && i + 1 < argc)
            out = argv[++i];
        else
            return ctl_fail("ca export: cannot read %s; perronctl ca --help", argv[i]);
    }
    if (!kind || !out)
        return ctl_fail("ca export: --for pem|gpo|firefox|ios|android|java and -o FILE are both needed");
    enum rc rc = ca_export(ctl->dir, span_str(kind), out, &text, &err);
    return report(ctl, rc, &text, &err);
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
    const char *verb = argc ? argv[0] : "";
    if (strcmp(verb, "init") == 0)
        return init(ctl, argc - 1, argv + 1);
    if (strcmp(verb, "show") == 0 && argc == 1)
        return show(ctl);
    if (strcmp(verb, "export") == 0)
        return export(ctl, argc - 1, argv + 1);
    return ctl_fail("ca: init, show or export; perronctl ca --help");
}

const struct ctl_command ctl_ca = {
    .name = "ca",
    .usage = "  ca init --org NAME [--exclude DOMAIN]...\n"
             "                             makes the CA of this gateway (once); names below DOMAIN it can "
             "never vouch for\n"
             "  ca show                    its certificates: names, dates, fingerprints\n"
             "  ca export --for pem|gpo|firefox|ios|android|java -o FILE\n"
             "                             its root for that kind of client, and what to do with it\n",
    .run = run,
};
