/* perronctl ca: makes the interception CA, shows it, and writes its root in the form that each kind of client
 * takes. */
#include "gw/ctl/ca.h"

#include <stdio.h>
#include <string.h>

#include "certs/ca.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"

int ca_report(const struct ctl *ctl, enum rc rc, struct buf *text, struct buf *err)
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

static int show(const struct ctl *ctl)
{
    struct buf text = {0}, err = {0};
    enum rc rc = ca_show(ctl->dir, clock_wall_s(), ctl->json, &text, &err);
    return ca_report(ctl, rc, &text, &err);
}

static int export(const struct ctl *ctl, int argc, char **argv)
{
    struct buf text = {0}, err = {0};
    const char *kind = NULL, *out = NULL, *which = "ca";
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--for") == 0 && i + 1 < argc)
            kind = argv[++i];
        else if ((strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--out") == 0) && i + 1 < argc)
            out = argv[++i];
        else if (strcmp(argv[i], "--next") == 0)
            which = "ca.next";
        else
            return ctl_fail("ca export: cannot read %s; perronctl ca --help", argv[i]);
    }
    if (!kind || !out)
        return ctl_fail("ca export: --for pem|gpo|firefox|ios|android|java and -o FILE are both needed");
    enum rc rc = ca_export(ctl->dir, which, span_str(kind), out, &text, &err);
    return ca_report(ctl, rc, &text, &err);
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
    const char *verb = argc ? argv[0] : "";
    if (strcmp(verb, "init") == 0)
        return ca_make(ctl, false, argc - 1, argv + 1);
    if (strcmp(verb, "prepare") == 0)
        return ca_make(ctl, true, argc - 1, argv + 1);
    if (strcmp(verb, "switch") == 0)
        return ca_switch_now(ctl, argc - 1, argv + 1);
    if (strcmp(verb, "show") == 0 && argc == 1)
        return show(ctl);
    if (strcmp(verb, "export") == 0)
        return export(ctl, argc - 1, argv + 1);
    if (strcmp(verb, "log") == 0)
        return ca_log(ctl, argc - 1, argv + 1);
    return ctl_fail("ca: init, show, export, prepare, switch or log; perronctl ca --help");
}

const struct ctl_command ctl_ca = {
    .name = "ca",
    .usage =
        "  ca init --org NAME [--exclude DOMAIN]... [--token URI [--token-path PATH]... [--token-env "
        "N=V]...]\n"
        "                             makes the CA of this gateway (once); names below DOMAIN it can "
        "never vouch for;\n"
        "                             its issuing key may be in a token: pkcs11:token=T;object=O?"
        "module-path=/M&pin-source=file:/P\n"
        "  ca show                    its certificates, the untrusted CA's, those prepared and those before: "
        "names, dates,\n"
        "                             how many days are left, fingerprints\n"
        "  ca export --for pem|gpo|firefox|ios|android|java -o FILE [--next]\n"
        "                             its root for that kind of client, and what to do with it\n"
        "  ca prepare --org NAME [--keep-root] ...\n"
        "                             makes the next CA beside the one in force (words as for init)\n"
        "  ca switch [--back ID]      the prepared CA, or an old one, takes the place of the one in force\n"
        "  ca log [--name NAME] [--last N] [--register DIR]\n"
        "                             the register of every leaf ever made, its chain looked at link by "
        "link (exit\n"
        "                             status 1 and the place where it is broken); --name *.DOMAIN: was one "
        "ever made\n"
        "                             for a name below DOMAIN?\n",
    .run = run,
};
