/* perronctl check: what the gateway would say about a policy file, without a gateway. */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "gw/base/clock.h"
#include "gw/ctl/ctl.h"
#include "gw/proc/progress.h"
#include "policy/compile.h"

static bool has_interface(const char *name)
{
    return if_nametoindex(name) != 0;
}

static int report(const struct ctl *ctl, const char *file, enum rc rc, span diag)
{
    if (ctl->json) {
        json_t *text = json_stringn((const char *)(diag.n ? diag.p : (const uint8_t *)""), diag.n);
        json_t *o = json_pack("{s:s, s:b, s:o}", "file", file, "ok", rc == RC_OK, "text",
                              text ? text : json_string(""));
        ctl_print_json(o);
        json_decref(o);
    } else {
        ctl_print(rc == RC_OK ? stdout : stderr, diag, true);
        if (rc == RC_OK && diag.n == 0)
            printf("%s: ok\n", file);
    }
    if (rc != RC_OK && diag.n == 0)
        return ctl_fail("%s: %s", file, rc_text(rc));
    return rc == RC_OK ? 0 : 1;
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
    struct compile_opts opts = {.check_only = true,
                                .time_s = clock_wall_s(),
                                .has_interface = has_interface,
                                .progress = progress_shown()};
    int fds[SNAP_PARTS] = {-1, -1, -1};
    uint8_t hash[SNAP_HASH];
    const char *file = NULL;
    struct buf diag = {0};
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "-p") == 0)
            opts.print = true;
        else if (argv[i][0] == '-' || file)
            return ctl_fail("check: unexpected %s; perronctl check --help", argv[i]);
        else
            file = argv[i];
    }
    if (!file)
        return ctl_fail("check: which file?");
    enum rc rc = policy_compile(file, &opts, fds, hash, &diag);
    progress_over();
    int status = report(ctl, file, rc, buf_span(&diag));
    buf_fini(&diag);
    return status;
}

const struct ctl_command ctl_check = {
    .name = "check",
    .usage = "  check [-p] FILE            errors and warnings of a policy file; -p: its normal form with "
             "every default\n",
    .run = run,
};
