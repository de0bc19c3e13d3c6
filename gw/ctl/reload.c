/* perronctl reload: brings a policy file into force, or says what is wrong with it and changes nothing; --to
 * goes back to what was in force before. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/base/obj.h"
#include "gw/ctl/ctl.h"

static void on_line(json_t *answer, void *arg)
{
    const struct ctl *ctl = arg;
    const char *diag = json_string_value(json_object_get(answer, "diag"));
    const char *snapshot = json_string_value(json_object_get(answer, "snapshot"));
    if (ctl->json) {
        ctl_print_json(answer);
        return;
    }
    ctl_print(stderr, span_str(diag), true);
    if (json_is_true(json_object_get(answer, "loaded")))
        printf("in force: policy %s\n", snapshot ? snapshot : "?");
    else
        fprintf(stderr, "still in force: policy %s\n", snapshot ? snapshot : "?");
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
    struct ctl copy = *ctl;
    if (argc == 2 && strcmp(argv[0], "--to") == 0)
        return ctl_ask(ctl, json_pack("{s:s, s:s}", "cmd", "reload", "to", argv[1]), on_line, &copy);
    if (argc == 1 && strcmp(argv[0], "--to") == 0)
        return ctl_fail(
            "reload --to wants the beginning of a snapshot's hash; perronctl show snapshots lists them");
    if (argc > 1 || (argc == 1 && argv[0][0] == '-'))
        return ctl_fail("reload: unexpected %s; perronctl reload --help", argv[argc - 1]);
    if (argc == 0) {
        return ctl_ask(ctl, json_pack("{s:s}", "cmd", "reload"), on_line, &copy);
    }
    AUTO_FREE char *file = realpath(argv[0], NULL); /* the gateway has another working directory */
    if (!file)
        return ctl_fail("%s: %s", argv[0], strerror(errno));
    json_t *request = json_pack("{s:s, s:s}", "cmd", "reload", "file", file);
    if (!request)
        return ctl_fail("%s: a name that is not UTF-8 cannot be sent", argv[0]);
    return ctl_ask(ctl, request, on_line, &copy);
}

const struct ctl_command ctl_reload = {
    .name = "reload",
    .usage =
        "  reload [FILE]              brings the policy file (default: the one of the start) into force\n"
        "  reload --to HASH           back to a snapshot that was in force (grants stay as they are)\n",
    .run = run,
};
