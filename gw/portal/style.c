/* Style sheet and signs; see style.h. System fonts only; nothing is fetched. One column that fits 320 pixels,
 * sizes in rem so that text can be enlarged, light and dark as the reader's system has it, readable on paper.
 */
#include "gw/portal/style.h"

const char style_text[] =
    ":root{color-scheme:light dark;"
#define K(name, light, dark) "--" #name ":" light ";"
#include "gw/portal/color.tbl"
#undef K
    "--bar:var(--other)}"
    "@media (prefers-color-scheme:dark){:root{"
#define K(name, light, dark) "--" #name ":" dark ";"
#include "gw/portal/color.tbl"
#undef K
    "}}"
    ".blocked{--bar:var(--blocked)}"
    ".certificate,.warned{--bar:var(--certificate)}"
    "*{box-sizing:border-box}"
    "html{-webkit-text-size-adjust:100%}"
    "body{margin:0;background:var(--ground);color:var(--text);"
    "font:1.0625rem/1.6 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",\"Liberation "
    "Sans\",Arial,sans-serif}"
    "main,footer{max-width:46rem;margin:0 auto;padding:0 1rem}"
    "main{padding-top:2.5rem}"
    ".card{background:var(--paper);border:1px solid var(--line);border-top:.375rem solid var(--bar);"
    "border-radius:.5rem;padding:1.75rem 2.25rem}"
    ".head{display:flex;gap:1.25rem;align-items:flex-start}"
    ".sign{flex:none;width:3rem;height:3rem;margin-top:.125rem;color:var(--bar)}"
    "h1{font-size:1.625rem;line-height:1.25;font-weight:650;margin:0 0 .75rem;text-wrap:balance}"
    "h2{font-size:1.125rem;line-height:1.3;font-weight:650;margin:0 0 .625rem}"
    "p{margin:0 0 .75rem;max-width:38rem}"
    "bdi,code,a{overflow-wrap:anywhere}"
    "section{margin-top:1.25rem;padding-top:1.25rem;border-top:1px solid var(--line)}"
    ".code{display:inline-block;margin:.25rem 0 1rem;padding:.5rem 1rem;border:1px solid var(--line);"
    "border-radius:.375rem;background:var(--soft)}"
    ".code span{color:var(--muted);font-size:.9375rem}"
    ".code strong{font:600 1.5rem/1.4 ui-monospace,\"Cascadia Mono\",Consolas,\"Liberation Mono\",monospace;"
    "letter-spacing:.04em;white-space:nowrap;user-select:all}"
    ".ways{list-style:none;margin:0;padding:0}"
    ".ways li{padding:.25rem 0}"
    "a{color:var(--link);text-underline-offset:.15em}"
    "a:hover{text-decoration-thickness:.125em}"
    "a:focus-visible{outline:.1875rem solid var(--link);outline-offset:.1875rem;border-radius:.125rem}"
    "button{font:inherit;font-weight:600;padding:.625rem 1.25rem;border:.125rem solid var(--link);"
    "border-radius:.375rem;background:var(--paper);color:var(--link);cursor:pointer;max-width:100%}"
    "button:hover{background:var(--soft)}"
    "button:focus-visible{outline:.1875rem solid var(--link);outline-offset:.1875rem}"
    "dl{margin:0}"
    "dt{color:var(--muted);font-size:.9375rem}"
    "dd{margin:0 0 .75rem}"
    "dd code{font:.9375rem/1.5 ui-monospace,\"Cascadia Mono\",Consolas,\"Liberation Mono\",monospace}"
    "footer{color:var(--muted);font-size:.9375rem;padding-top:1.25rem;padding-bottom:2rem}"
    "@media (min-width:40rem){dl>div{display:grid;grid-template-columns:11rem "
    "1fr;gap:1rem}dd{margin-bottom:.375rem}}"
    "@media (max-width:30rem){main{padding-top:1rem}.card{padding:1.25rem}.head{display:block}"
    ".sign{margin-bottom:.75rem}.code strong{font-size:1.25rem}}"
    "@media print{form{display:none}body{background:none}.card{border-color:#000}}";

const char style_hash[] = "sha256-j+Fu2syaSVe9khrUNweMoRNx//y2zjHibI9d07/KESM=";

#define SVG(inside)                                                                       \
    "<svg class=\"sign\" width=\"48\" height=\"48\" viewBox=\"0 0 48 48\" fill=\"none\" " \
    "stroke=\"currentColor\" stroke-width=\"3.5\" "                                       \
    "stroke-linecap=\"round\" stroke-linejoin=\"round\" aria-hidden=\"true\">" inside "</svg>"

static const struct {
    const char *name, *sign;
} looks[] = {
    [LOOK_BLOCKED] = {"blocked", SVG("<circle cx=\"24\" cy=\"24\" r=\"20\"/><path d=\"M14 24h20\"/>")},
    [LOOK_CERTIFICATE] = {"certificate",
                          SVG("<path d=\"M24 4 42 10v13c0 11-8 18-18 21C14 41 6 34 6 23V10z\"/>"
                              "<path d=\"M24 15v12M24 34v.01\"/>")},
    [LOOK_WARNED] = {"warned", SVG("<path d=\"M24 5 45 42H3z\"/><path d=\"M24 18v11M24 36v.01\"/>")},
    [LOOK_OTHER] = {"other", SVG("<circle cx=\"24\" cy=\"24\" r=\"20\"/><path d=\"M24 14v13M24 34v.01\"/>")},
};

const char *style_class(enum page_look l)
{
    return looks[l].name;
}

const char *style_sign(enum page_look l)
{
    return looks[l].sign;
}
