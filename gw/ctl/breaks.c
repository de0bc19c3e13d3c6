/* perronctl show breaks: what broke, by name and kind of client, all workers together, the latest first. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static bool is_same(json_t *a, json_t *b)
{
    static const char *const keys[] = {"kind", "name", "ja4", "closed_by"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(text_of(a, keys[i]), text_of(b, keys[i])) != 0)
            return false;
    }
    return text_of(a, "name")[0] || json_equal(json_object_get(a, "clients"), json_object_get(b, "clients"));
}

static void join_clients(json_t *into, json_t *more)
{
    for (size_t i = 0; i < json_array_size(more); i++) {
        bool known = false;
        for (size_t k = 0; k < json_array_size(into); k++)
            known |= json_equal(json_array_get(into, k), json_array_get(more, i));
        if (!known)
            json_array_append(into, json_array_get(more, i));
    }
}

/* Another worker saw the same. */
static void join(json_t *into, json_t *more)
{
    static const char *const newest[] = {"after", "detail", "last"};
    json_object_set_new(into, "count", json_integer(number_of(into, "count") + number_of(more, "count")));
    if (number_of(more, "first") < number_of(into, "first"))
        json_object_set(into, "first", json_object_get(more, "first"));
    if (number_of(more, "exempt_until") > number_of(into, "exempt_until"))
        json_object_set(into, "exempt_until", json_object_get(more, "exempt_until"));
    bool later = number_of(more, "last") > number_of(into, "last");
    for (size_t i = 0; later && i < sizeof newest / sizeof *newest; i++)
        json_object_set(into, newest[i], json_object_get(more, newest[i]));
    join_clients(json_object_get(into, "clients"), json_object_get(more, "clients"));
}

static void on_breaks(json_t *answer, void *arg)
{
    json_t *all = arg, *data = json_object_get(answer, "data");
    for (size_t i = 0; i < json_array_size(data); i++) {
        json_t *row = json_array_get(data, i), *same = NULL;
        for (size_t k = 0; k < json_array_size(all) && !same; k++)
            same = is_same(json_array_get(all, k), row) ? json_array_get(all, k) : NULL;
        if (same)
            join(same, row);
        else
            json_array_append(all, row);
    }
}

static int latest_first(const void *a, const void *b)
{
    json_int_t x = number_of(*(json_t *const *)a, "last"), y = number_of(*(json_t *const *)b, "last");
    return x < y ? 1 : x > y ? -1 : 0;
}

static void put_time(const char *before, json_int_t s)
{
    char text[MOMENT_TEXT];
    moment_text(s, text);
    printf("%s%s", before, text);
}

static void print_evidence(json_t *r)
{
    json_t *clients = json_object_get(r, "clients");
    printf("    %" PRId64 " times, ", (int64_t)number_of(r, "count"));
    put_time("last ", number_of(r, "last"));
    printf(", from");
    for (size_t i = 0; i < json_array_size(clients); i++)
        printf(" %s", json_string_value(json_array_get(clients, i)));
    printf("\n    closed by %s after %s: ", text_of(r, "closed_by"), text_of(r, "after"));
    ctl_print(stdout, span_str(text_of(r, "detail")[0] ? text_of(r, "detail") : "closed"), false);
}

static void print_row(json_t *r)
{
    bool exemption = strcmp(text_of(r, "kind"), "exempt") == 0;
    printf("%-18s ", text_of(r, "kind"));
    ctl_print(stdout, span_str(text_of(r, "name")[0] ? text_of(r, "name") : "-"), false);
    printf("  %s\n", text_of(r, "ja4")[0] ? text_of(r, "ja4") : "-");
    if (exemption)
        put_time("    since ", number_of(r, "first"));
    else
        print_evidence(r);
    printf("\n    %s\n", text_of(r, "text"));
    if (number_of(r, "exempt_until")) {
        put_time("    exempt until ", number_of(r, "exempt_until"));
        printf(": look at it, and exempt the name in `tls` or find out why\n");
    } else {
        printf("    what to do: %s\n", text_of(r, "advice"));
    }
}

int ctl_show_breaks(const struct ctl *ctl)
{
    json_t *all = json_array();
    int status = ctl_ask(ctl, json_pack("{s:s, s:s}", "cmd", "show", "what", "breaks"), on_breaks, all);
    size_t n = json_array_size(all);
    json_t **rows = calloc(n + 1, sizeof *rows);
    for (size_t i = 0; rows && i < n; i++)
        rows[i] = json_array_get(all, i);
    if (rows)
        qsort(rows, n, sizeof *rows, latest_first);
    for (size_t i = 0; rows && i < n; i++) {
        if (ctl->json)
            ctl_print_json(rows[i]);
        else
            print_row(rows[i]);
    }
    if (status == 0 && n == 0 && !ctl->json)
        printf("nothing has broken since the workers started\n");
    free(rows);
    json_decref(all);
    return rows ? status : ctl_fail("show breaks: no memory");
}
