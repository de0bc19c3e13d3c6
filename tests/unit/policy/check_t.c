/* Where the checker's limits lie, to the one; what it makes of values; and the second at which a date is
 * over. */
#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "tests/unit/policy/snap_help.h"

static struct compiled c;

/* Compiles `text` at `now`, for what is said alone. */
static const char *said(const char *text, int64_t now)
{
    struct compile_opts opts = {.check_only = true, .time_s = now};
    compile_bytes(span_str(text), &opts, &c);
    return c.diag;
}

static bool says(const char *text, int64_t now, const char *part)
{
    return strstr(said(text, now), part) != NULL;
}

/* ---- limits ---- */

/* What is said of n lines of one format and a rule of no zone, which keeps anything from being built. */
static bool many_say(const char *format, unsigned n, const char *part)
{
    struct buf text = {0};
    assert_int_equal(buf_put_str(&text, "zone lan network 10.0.0.0/8\nweb { allow from nowhere }\n"), RC_OK);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(buf_printf(&text, format, i), RC_OK);
    assert_int_equal(buf_put_u8(&text, 0), RC_OK);
    bool found = says((const char *)text.p, 0, part);
    assert_int_equal(c.rc, RC_CONFIG);
    assert_non_null(strstr(c.diag, "there is no zone or host `nowhere`"));
    buf_fini(&text);
    return found;
}

static void as_many_as_there_is_room_for(void **state)
{
    static const struct {
        const char *format;
        unsigned most; /* lines without a word */
        const char *says;
    } rows[] = {
        {"group g%u ldap \"cn=x,dc=test\" stale 8h\n", LIM_POLICY_STALE_GROUPS,
         "more than 128 groups with `stale`"},
        {"schedule s%u mon 08:00-12:00\n", LIM_POLICY_SCHEDULES, "more than 128 schedules"},
        {"zone z%1$u vpn site \"v%1$u\"\n", ZONE_NONE - 3, "error: more than 65534 zones"},
    };
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        assert_false(many_say(rows[i].format, rows[i].most, rows[i].says));
        assert_true(many_say(rows[i].format, rows[i].most + 1, rows[i].says));
        assert_true(many_say(rows[i].format, rows[i].most + 2, rows[i].says));
    }
}

static void schedules_in_as_many_time_zones_as_there_is_room_for(void **state)
{
    static const char *const zone[] = {"Europe/Paris",  "Europe/Rome",   "Europe/Berlin", "Europe/Madrid",
                                       "Europe/Lisbon", "Europe/London", "Europe/Dublin", "Europe/Oslo",
                                       "Europe/Vienna", "Europe/Prague", "Europe/Warsaw", "Europe/Athens",
                                       "Europe/Sofia",  "Europe/Riga",   "Europe/Kiev"};
    const char *most = "schedules in more than 16 time zones";
    char text[4096] = "zone lan network 10.0.0.0/8\nweb { allow any }\nschedule own mon\n";
    (void)state;
    for (size_t i = 0; i < N_ELEMS(zone); i++) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "schedule s%zu mon zone \"%s\"\nschedule t%zu mon zone \"%s\"\n",
                 i, zone[i], i, zone[i]);
    }
    assert_int_equal(N_ELEMS(zone) + 1, LIM_POLICY_TIME_ZONES);
    assert_false(says(text, 0, most));
    strcat(text, "schedule more mon zone \"UTC\"\n");
    assert_true(says(text, 0, most));
    strcat(text, "schedule yet-more mon zone \"Asia/Tokyo\"\n");
    assert_true(says(text, 0, most));
}

/* 16384 stretches: weeks of 7 days, and days with hours one by one; whole days in a row are one. */
static void schedules_of_as_many_hours_as_there_is_room_for(void **state)
{
    static const char FRAME[] = "zone lan network 10.0.0.0/8\nweb { allow any }\nschedule s %s%s\n";
    /* 10958 days, and 5425 */
    const char *days = "2001-01-01..2031-01-01 08:00-12:00 2031-02-01..2045-12-08 08:00-12:00 ";
    const char *most = "schedule `s` has more than 16384 stretches of hours";
    static const char *const enough[] = {"2050-01-01..2050-01-31", "2050-01-01..2050-01-31 00:00-24:00",
                                         "2050-01-01 08:00-12:00"};
    static const char *const more[] = {"2050-01-01..2050-01-02 08:00-24:00",
                                       "2050-01-01..2050-01-02 00:00-23:00",
                                       "mon",
                                       "mon 08:00-12:00",
                                       "2050-01-01 2051-01-01",
                                       "2050-01-01 except 2051-01-01"};
    char text[512];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(enough); i++) {
        snprintf(text, sizeof text, FRAME, days, enough[i]);
        assert_false(says(text, 0, most));
        assert_int_equal(c.rc, RC_OK);
    }
    for (size_t i = 0; i < N_ELEMS(more); i++) {
        snprintf(text, sizeof text, FRAME, days, more[i]);
        assert_true(says(text, 0, most));
    }
}

/* So many values that stand on both sides of `except` are looked at, and no more. */
static void values_that_are_compared(void **state)
{
    char text[32768];
    (void)state;
    for (unsigned n = 256; n <= 257; n++) {
        size_t at = (size_t)snprintf(text, sizeof text, "zone lan network 10.0.0.0/8\nweb {\nblock domain ");
        for (unsigned i = 0; i < 2 * n; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s\"h%u.test\"",
                                   i == n ? " except domain "
                                   : i    ? ", "
                                          : "",
                                   i % n);
        snprintf(text + at, sizeof text - at, "\nallow any\n}\n");
        assert_int_equal(says(text, 0, "the same is asked for and excepted"), n == 256);
    }
}

/* ---- values ---- */

static void paths_methods_and_applications_as_long_as_they_may_be(void **state)
{
    static const struct {
        const char *noun, *begins;
        unsigned most;
        const char *says;
    } rows[] = {
        {"path", "/", LIM_POLICY_PATH_BYTES, "a path of more than 512 bytes"},
        {"method", "", 32, "is not a request method"},
    };
    char text[1024], name[600];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        for (unsigned n = rows[i].most; n <= rows[i].most + 1; n++) {
            memset(name, 'a', n);
            name[n] = '\0';
            memcpy(name, rows[i].begins, strlen(rows[i].begins));
            bool bare = rows[i].begins[0] == '\0';
            snprintf(text, sizeof text, "zone lan network 10.0.0.0/8\nweb {\nblock %s %s%s%s\nallow any\n}\n",
                     rows[i].noun, bare ? "" : "\"", name, bare ? "" : "\"");
            assert_int_equal(says(text, 0, rows[i].says), n > rows[i].most);
        }
    }
}

/* Of each name that is nearly right the right one is told, wherever it stands in the table of names. */
static void a_name_that_is_nearly_right(void **state)
{
    char text[256], hint[64];
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        snprintf(text, sizeof text,
                 "zone lan network 10.0.0.0/8\ngroup pupils-%u user \"u\"\nweb { allow for pupil-%u }\n", i,
                 i);
        snprintf(hint, sizeof hint, "hint: did you mean `pupils-%u`?", i);
        assert_true(says(text, 0, hint));
    }
}

static bool no_interface(const char *name)
{
    (void)name;
    return false;
}

static bool first_interface(const char *name)
{
    return strcmp(name, "first") == 0;
}

static bool any_interface(const char *name)
{
    return name[0] != '\0';
}

/* A name that the machine could not have is not asked about. */
static void names_of_interfaces(void **state)
{
    char text[256], name[40];
    (void)state;
    for (unsigned n = 1; n <= 33; n++) {
        memset(name, 'e', n);
        name[n] = '\0';
        snprintf(text, sizeof text,
                 "zone lan network 10.0.0.0/8\nzone wifi interface %s network 10.0.0.0/9\n%s", name,
                 "web { allow any }\n");
        struct compile_opts opts = {.check_only = true, .has_interface = any_interface};
        compile_bytes(span_str(text), &opts, &c);
        assert_int_equal(strstr(c.diag, "this machine has no interface") == NULL, n < 32);
    }
    struct compile_opts opts = {.check_only = true, .has_interface = no_interface};
    compile_text("zone lan network 10.0.0.0/8\nweb { allow any }\n", &c);
    assert_string_equal(c.diag, "");
    compiled_close(&c);
    compile_bytes(
        SPAN("zone a network 10.0.0.0/8\nzone b interface eb network 10.0.0.0/9\nweb { allow any }\n"), &opts,
        &c);
    assert_non_null(strstr(c.diag, ":2:18: warning: this machine has no interface `eb`"));
    opts.has_interface = first_interface;
    compile_bytes(SPAN("zone a interface first network 10.0.0.0/8\nzone b interface eb network 10.0.0.0/9\n"
                       "zone c interface ec network 10.0.0.0/10\nweb { allow any }\n"),
                  &opts, &c);
    assert_null(strstr(c.diag, "first`"));
    assert_non_null(strstr(c.diag, ":2:18: warning: this machine has no interface `eb`"));
    assert_non_null(strstr(c.diag, ":3:18: warning: this machine has no interface `ec`"));
}

/* Users that are declared, and one that a rule alone names, each have a number of their own. */
static void users_are_told_apart(void **state)
{
    static const char *const user[] = {"a", "b", "c", "d"};
    struct snapshot *s = snap_of(
        "user \"a\" address 10.1.1.1\nuser \"b\" address 10.1.1.2\nuser \"c\" address 10.1.1.3, fd00::3\n"
        "web {\n block for user \"a\"\n block for user \"b\"\n block for user \"c\"\n block for user \"d\"\n"
        " allow any\n}\n");
    (void)state;
    for (unsigned i = 0; i < N_ELEMS(user); i++) {
        struct facts f = request(s, "10.1.1.9", user[i], "a.test", "GET");
        struct verdict v = ask(s, &f);
        assert_int_equal(v.action, ACT_BLOCK);
        assert_int_equal(line_of(s, &v), 5 + i);
        struct addr at = addr_of("10.1.1.1");
        at.b[3] = (uint8_t)(i + 1);
        assert_true(i == 3 || span_eq(snapshot_user_of(s, &at), span_str(user[i])));
    }
    struct facts f = request(s, "10.1.1.9", "e", "a.test", "GET");
    assert_int_equal(ask(s, &f).action, ACT_ALLOW);
    snapshot_put(s);
}

/* ---- dates ---- */

/* 2027-07-01 00:00 and 2027-06-30 18:00 in Brussels */
enum { MIDNIGHT = 1814392800, EVENING = 1814371200 };

static void the_second_at_which_a_date_is_over(void **state)
{
    static const struct {
        const char *line;
        int64_t end;
        const char *says;
    } rows[] = {
        {"web {\nblock tcp 81 until 2027-06-30\nallow any\n}\n", MIDNIGHT,
         "this rule is off: its `until` was 2027-06-30\n"},
        {"web {\nblock tcp 81 until 2027-06-30 18:00\nallow any\n}\n", EVENING,
         "this rule is off: its `until` was 2027-06-30 18:00\n"},
        {"web {\nblock tcp 81 observe until 2027-06-30\nallow any\n}\n", MIDNIGHT,
         "this rule is enforced: its `observe until` was 2027-06-30\n"},
        {"web { allow any }\nobserve from lan until 2027-06-30 18:00\n", EVENING,
         "nothing is observed by this line: its `until` was 2027-06-30 18:00\n"},
        {"web { allow any }\nschedule s 2027-06-29..2027-06-30, 2027-06-01 08:00-12:00\n", MIDNIGHT,
         "schedule `s` is over: it will not come again\n"},
    };
    char text[256];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        snprintf(text, sizeof text, "zone lan network 10.0.0.0/8\n%s", rows[i].line);
        assert_false(says(text, rows[i].end - 1, "warning"));
        assert_true(says(text, rows[i].end, rows[i].says));
        const char *first = strstr(c.diag, "warning");
        assert_null(strstr(first + 1, "warning")); /* and nothing else */
        assert_true(says(text, rows[i].end + 1, rows[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_there_is_room_for),
        cmocka_unit_test(schedules_in_as_many_time_zones_as_there_is_room_for),
        cmocka_unit_test(schedules_of_as_many_hours_as_there_is_room_for),
        cmocka_unit_test(values_that_are_compared),
        cmocka_unit_test(paths_methods_and_applications_as_long_as_they_may_be),
        cmocka_unit_test(a_name_that_is_nearly_right),
        cmocka_unit_test(names_of_interfaces),
        cmocka_unit_test(users_are_told_apart),
        cmocka_unit_test(the_second_at_which_a_date_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
