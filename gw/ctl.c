/* perronctl: finds the command among its words and runs it; see gw/ctl/ctl.h. */
#include <stdio.h>
#include <string.h>

#include "gw/base/obj.h"
#include "gw/ctl/ctl.h"

#define STATE_DIR "/var/lib/perron"

static const struct ctl_command *const commands[] = {
    &ctl_check,   &ctl_explain, &ctl_whatif,    &ctl_replay, &ctl_reload,
    &ctl_grant,   &ctl_grants,  &ctl_revoke,    &ctl_exempt, &ctl_show,
    &ctl_journal, &ctl_ca,      &ctl_certcheck, &ctl_lists,  &ctl_simulate,
};

int ctl_usage(const struct ctl_command *c)
{
    printf("usage:\n%s", c->usage);
    return 0;
}

static int help(void)
{
    printf("usage: perronctl [-d DIR] [--json] COMMAND ...\n"
           "  -d DIR   state directory of the gateway to talk to (default " STATE_DIR ")\n"
           "  --json   answers as JSON, one object a line\n"
           "commands:\n");
    for (size_t i = 0; i < N_ELEMS(commands); i++)
        printf("%s", commands[i]->usage);
    return 0;
}

/* Takes the words that every command knows out of argv; false when one lacks its value. */
static bool take_common(struct ctl *ctl, bool *want_help, int *argc, char **argv)
{
    int n = 0;
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            ctl->json = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            *want_help = true;
        } else if (strcmp(argv[i], "-d") == 0 || strcmp(argv[i], "--dir") == 0) {
            if (++i == *argc)
                return false;
            ctl->dir = argv[i];
        } else {
            argv[n++] = argv[i];
        }
    }
    *argc = n;
    return true;
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.dir = STATE_DIR};
    bool want_help = false;
    if (!take_common(&ctl, &want_help, &argc, argv))
        return ctl_fail("-d wants a directory");
    if (argc == 0)
        return want_help ? help() : ctl_fail("what? perronctl --help lists the commands");
    for (size_t i = 0; i < N_ELEMS(commands); i++) {
        if (strcmp(argv[0], commands[i]->name) == 0)
            return want_help ? ctl_usage(commands[i]) : commands[i]->run(&ctl, argc - 1, argv + 1);
    }
    return ctl_fail("unknown command %s; perronctl --help lists them", argv[0]);
}
