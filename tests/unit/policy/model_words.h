/* The words of the model's policies, for those who write them and for those who go by them. */
#ifndef TESTS_UNIT_POLICY_MODEL_WORDS_H
#define TESTS_UNIT_POLICY_MODEL_WORDS_H

#include "tests/unit/policy/model.h"

static const char *const VALUES[NOUNS][8] = {
    [CATEGORY] = {"c0", "c1", "c2", "none"},
    [FOR] = {"group g0", "group g1", "group g2", "group g3", "user \"u0\"", "user \"u3\"",
             "group unidentified"},
    [DOMAIN] = {"\"example\"", "\"b.example\"", "\"a.b.example\"", "\"other.test\"", "\"198.51.100.7\""},
    [FROM] = {"lan", "guests", "faraway", "network 10.0.0.0/9", "network 10.64.0.0/16", "network 172.16.0.9",
              "network fd00::/16"},
    [TO] = {"lan", "internet", "network 198.51.100.7", "network 198.51.100.0/24"},
    [PORT] = {"443", "1-1000", "400-500", "8443", "53", "1-60"}, /* the last two are UDP; bit 6: ICMP */
    [METHOD] = {"GET", "POST"},
    [UPLOAD] = {""},
    [PATH] = {"\"/\"", "\"/a\"", "\"/a/b\"", "\"/ab/\""},
    [DURING] = {"s0", "s1", "s2", "s3"},
    [TYPE] = {"executable", "archive"},
    [SIGNATURE] = {"1", "2-3"},
    [VIRUS] = {""},
    [PATTERN] = {"belgian-national-number", "iban"},
    [APPLICATION] = {"tor", "\"bittorrent\""},
};

#define B(x) (1u << (x))

/* Local dates and what they are in UTC: the clock goes forward on the 28th at 02:00. */
static const struct {
    const char *text;
    int64_t since, until;
} DATES[] = {{"2027-03-27", 1806102000, 1806188400},
             {"2027-03-28", 1806188400, 1806271200},
             {"2027-03-26 18:30", 1806082200, 1806082200},
             {"2027-03-28 12:00", 1806228000, 1806228000}};

/* URLs of categories. */
static const struct {
    unsigned category;
    const char *host, *path;
} URLS[] = {{1, "free.test", "/a"},   {1, "a.b.example", "/ab"}, {1, "notexample", "/a/b"},
            {2, "a.b.example", "/a"}, /* it is out of c2 whatever the path */
            {2, "other.test", "/ab"}, {2, "free.test", "/a/b"},  {0, "x.b.example", "/a"}};
enum { N_URLS = sizeof URLS / sizeof URLS[0] };

/* Modifiers a `set` rule may have, and which of them is the quota. */
enum { N_MODS = 6, MOD_OF_QUOTA = 2 };

#endif
