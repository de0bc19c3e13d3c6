/* What a rule is known by; see rule_key.h. */
#include "policy/rule_key.h"

#include "policy/image.h"

/* Labels end what a rule matches. */
static const char *const labels[] = {"name", "owner", "ticket", "reason", "purpose", "since", "until", "log"};

/* The next word of a rule's text, a quoted one with its quotes. */
static span next_word(span text, size_t *at)
{
    while (*at < text.n && text.p[*at] == ' ')
        ++*at;
    size_t from = *at;
    bool quoted = false;
    while (*at < text.n && (quoted || text.p[*at] != ' ')) {
        if (text.p[*at] == '\\' && quoted)
            ++*at;
        else if (text.p[*at] == '"')
            quoted = !quoted;
        ++*at;
    }
    *at = *at < text.n ? *at : text.n;
    return span_cut(text, from, *at);
}

bool rule_says(span text, span word)
{
    for (size_t at = 0; at < text.n;) {
        if (span_eq(next_word(text, &at), word))
            return true;
    }
    return false;
}

static bool is_label(span word)
{
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        if (span_eq(word, span_str(labels[i])))
            return true;
    }
    return false;
}

static uint64_t mix(uint64_t h, span s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ s.p[i]) * UINT64_C(0x100000001b3);
    return (h ^ ' ') * UINT64_C(0x100000001b3);
}

/* For a compiler that writes no keys down. */
static uint64_t key_of_text(const struct snapshot *s, uint32_t rule, const struct rule_info *r)
{
    uint64_t h = mix(UINT64_C(0xcbf29ce484222325), span_str(snapshot_rule_block(s, rule)));
    if (r->name.n)
        return mix(h, r->name) | 1;
    for (size_t at = 0, n = 0; at < r->text.n; n++) {
        span word = next_word(r->text, &at);
        if (n > 0 && is_label(word))
            break;
        h = mix(h, word);
    }
    return h | 1;
}

uint64_t snapshot_rule_key(const struct snapshot *s, uint32_t rule)
{
    if (rule >= snapshot_n_rules(s))
        return 0;
    struct rule_info r = snapshot_rule(s, rule);
    return r.key ? r.key : key_of_text(s, rule, &r);
}

const char *snapshot_rule_block(const struct snapshot *s, uint32_t rule)
{
    static const char *const blocks[TABLE_N] = {
        [TABLE_TLS] = "tls", [TABLE_CERT] = "tls", [TABLE_WEB] = "web", [TABLE_ON] = "on"};
    for (unsigned t = 0; t < TABLE_N; t++) {
        struct img_run run = s->img.TABLES[t].rules;
        if (rule >= run.at && rule - run.at < run.n)
            return blocks[t] ? blocks[t] : "";
    }
    return "";
}
