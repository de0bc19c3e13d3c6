/* perronctl simulate: provokes a failure, so that one can see what the `on` rules make of it. */
#include <string.h>

#include "gw/ctl/ctl.h"

static void ignore(json_t *answer, void *arg)
{
    (void)answer;
    (void)arg;
}

static bool number(const char *text, json_t *request, const char *key)
{
    uint64_t n;
    if (!span_to_u64(span_str(text), 3600, &n))
        return false;
    json_object_set_new(request, key, json_integer((json_int_t)n));
    return true;
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
    if (argc == 0 || argv[0][0] == '-')
        return ctl_fail("simulate: what? perronctl simulate --help");
    json_t *request = json_pack("{s:s, s:s}", "cmd", "simulate", "what", argv[0]);
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc, ok = true;
        if (strcmp(argv[i], "--hang") == 0)
            json_object_set_new(request, "hang", json_true());
        else if (strcmp(argv[i], "--back") == 0)
            json_object_set_new(request, "back", json_true());
        else if (strcmp(argv[i], "--for") == 0)
            ok = more && number(argv[++i], request, "seconds");
        else if (strcmp(argv[i], "--worker") == 0)
            ok = more && number(argv[++i], request, "worker");
        else
            ok = false;
        if (!ok) {
            json_decref(request);
            return ctl_fail("simulate: cannot read %s; perronctl simulate --help",
                            argv[i < argc ? i : argc - 1]);
        }
    }
    return ctl_ask(ctl, request, ignore, NULL);
}

const struct ctl_command ctl_simulate = {
    .name = "simulate",
    .usage =
        "  simulate signer-down|logger-down|opener-down|worker-down [--worker N] [--hang] [--for SECONDS]\n"
        "                             kills that process (--hang: stops it) and keeps it away for so long\n"
        "  simulate clock [--back] --for SECONDS\n"
        "                             sets the clock ahead, or back, of a gateway that was started with "
        "--clock\n",
    .run = run,
};
