#!/usr/bin/env bash
# The rules of tools/lint: each is seen to catch what it is for.
source "$(dirname "$0")/_tap.sh"

# tree FILE: reads the file's text from standard input and leaves a tree with nothing else in it.
tree() {
  rm -rf "$WORK/tree"
  mkdir -p "$WORK/tree/$(dirname "$1")"
  cat >"$WORK/tree/$1"
}

lint() { tools/lint "$WORK/tree" 2>&1; }

tree Store/A.cs <<<'namespace Couic.Store;'
check 'a clean tree passes' lint

tree Store/A.cs <<<$'using Couic.Native;\nnamespace Couic.Store;'
refute 'a broken rule is a failure' lint
matches 'a using that breaks the directions is named' "$(lint)" 'Store/A.cs:1: Store may not use Native \(may use: nothing\)'

tree Http/A.cs <<<$'namespace Couic.Http;\nclass A { Couic.Config.Settings? _s; }'
matches 'a qualified name breaks them as well as a using' "$(lint)" 'Http/A.cs:2: Http may not use Config'

tree Cli/A.cs <<<$'using Couic.Api.Contracts;\nusing Couic.Store;\nnamespace Couic.Cli;'
check 'the command line may use the wire types and the notation of the store' lint

tree Http/A.cs <<<$'using Couic.Api.Access;\nnamespace Couic.Http;'
matches 'the server may not know what it serves' "$(lint)" 'Http/A.cs:1: Http may not use Api.Access'

tree Api/Json/A.cs <<<$'using Couic.Api.Endpoints;\nnamespace Couic.Api.Json;'
matches 'an inner folder has walls too' "$(lint)" 'Api/Json/A.cs:1: Api.Json may not use Api.Endpoints'

tree Api/Json/A.cs <<<$'using Couic.Api;\nnamespace Couic.Api.Json;'
check 'an inner folder may use the folder around it' lint

tree Cli/A.cs <<<$'using Couic.Http;\nnamespace Couic.Cli;'
matches 'the command line may not use the server' "$(lint)" 'Cli may not use Http'

tree Cli/A.cs <<<$'using Couic.Store;\nnamespace Couic.Cli;\nclass A { RuleStore? _s; }'
matches 'the command line may not hold a store' "$(lint)" 'Cli/A.cs:3: Cli may use Cidr'

tree Bpf/A.cs <<<$'namespace Couic.Bpf;\nunsafe class A;'
matches 'unsafe code outside Native is named' "$(lint)" 'Bpf/A.cs:2: native calls, pointers and unsafe'

tree Native/A.cs <<<$'namespace Couic.Native;\nunsafe class A;'
check 'unsafe code in Native is fine' lint

tree Extra/A.cs <<<'namespace Couic.Extra;'
matches 'a folder that nobody entered into the table is named' "$(lint)" 'Extra: not in the table'

tree Store/A.cs <<<'namespace Couic.Shop;'
matches 'a namespace that is not the folder is named' "$(lint)" "namespace is not the folder's"

tree Store/A.cs <<<$'namespace Couic.Store;\n// using Couic.Native; would be wrong'
check 'a comment is not code' lint

tree docs/design/a.md <<<$'# A\n[b](b.md) [a](#a) [c](#c) `Store/RuleStore.cs`\n```text\n[x](x.md)\n```'
matches 'a link that leads nowhere is named' "$(lint)" 'docs/design/a.md:2: "b.md" does not exist'
matches 'an anchor without a heading is named' "$(lint)" 'docs/design/a.md:2: "docs/design/a.md" has no heading "#c"'
matches 'a source file that a design page names and that is gone is named' "$(lint)" 'docs/design/a.md:2: file "Store/RuleStore.cs" does not exist'
equal 'existing anchors and code blocks are not faults' 3 "$(tools/links "$WORK/tree" | wc -l)"
tree docs/a.md <<<"# A
$(printf 'word %.0s' {1..30})
| $(printf 'word %.0s' {1..30})|"
equal 'a line of prose that is too long is named, a row of a table is not' 'docs/a.md:2: 150 characters (at most 130)' "$(tools/links "$WORK/tree")"
