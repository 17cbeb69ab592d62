using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace Couic.Mutants;

/// <summary>One change of one file: the text at <see cref="Span"/>, in C# an expression or a statement, becomes <see cref="After"/>.</summary>
internal sealed record Mutation(string File, int Line, string Member, TextSpan Span, string Before, string After, bool IsStatement = false)
{
    /// <summary>Both forms, of which the number that the process was given selects one.</summary>
    public string Switched(int number) => IsStatement
        ? $"if (global::Couic.MutantSwitch.Is({number})) {{ {After} }} else {{ {Before} }}"
        : $"(global::Couic.MutantSwitch.Is({number}) ? ({After}) : ({Before}))";

    /// <summary>Does not contain the line, so that the list of accepted survivors outlives edits elsewhere in the file.</summary>
    public string Id => $"{Member}: {Flat(Before)} => {Flat(After)}";

    public override string ToString() => $"{File}:{Line}: {Id}";

    private static string Flat(string text) => Regex.Replace(text, @"\s+", " ").Trim();

    /// <summary>All mutations of a C# file, selected by syntax.</summary>
    public static IEnumerable<Mutation> OfCSharp(string file, SyntaxTree tree)
    {
        foreach (SyntaxNode node in tree.GetRoot().DescendantNodes())
        {
            if (node.Ancestors().Any(a => a is AttributeSyntax or EnumDeclarationSyntax or ThrowStatementSyntax or ThrowExpressionSyntax) || IsLogging(node))
            {
                continue;
            }

            foreach ((TextSpan span, string after) in Changes(node))
            {
                string before = tree.GetText().ToString(span);
                yield return new(file, tree.GetLineSpan(span).StartLinePosition.Line + 1, MemberOf(node), span, before, after, node is ExpressionStatementSyntax);
            }
        }
    }

    /// <summary>All mutations of a C file, by operators between spaces, verdicts and constants; comments and directives are left alone.</summary>
    public static IEnumerable<Mutation> OfC(string file, string text)
    {
        string code = Regex.Replace(text, @"/\*.*?\*/|//[^\n]*|^#(?:[^\n]*\\\n)*[^\n]*|""[^""\n]*""", m => Regex.Replace(m.Value, @"[^\n]", " "), RegexOptions.Singleline | RegexOptions.Multiline);
        (string Pattern, string After)[] operators =
        [
            (" == ", " != "), (" != ", " == "), (" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "), (" && ", " || "), (@" \|\| ", " && "),
            (@" \+ ", " - "), (" - ", " + "), (" & ", " | "), (@" \| ", " & "), (" << ", " >> "), (" >> ", " << "), ("XDP_DROP", "XDP_PASS"), ("XDP_PASS", "XDP_DROP"),
            (@"(?<=if \()(?=\w)", "!"), (@"(?<=if \()!(?=[\w(])", ""), (@"\btrue\b", "false"), (@"\bfalse\b", "true"),
            (@"(?<=\breturn )0(?=;)", "1"), (@"(?<=\breturn )1(?=;)", "0"), (@"\bcontinue;", "break;"), (@"\bbreak;", ";"), (@"(?<=\n\t+)\w+\([^;{}]*\);", ";"),
        ];
        string function = "";
        foreach (Match header in Regex.Matches(code, @"^[^\s#{}][^\n;]*?(\w+)\([^;{}]*\)\s*\{", RegexOptions.Multiline))
        {
            int end = code.IndexOf("\n}", header.Index, StringComparison.Ordinal);
            function = header.Groups[1].Value;
            foreach ((string pattern, string after) in operators)
            {
                foreach (Match match in Regex.Matches(code[..(end < 0 ? code.Length : end)], pattern).Where(m => m.Index >= header.Index + header.Length))
                {
                    int line = text.AsSpan(0, match.Index).Count('\n');
                    string whole = text.Split('\n')[line].Trim();
                    yield return new(file, line + 1, $"{function} \"{whole}\"", new TextSpan(match.Index, match.Length), match.Value, after);
                }
            }
        }
    }

    private static bool IsLogging(SyntaxNode node) =>
        node.AncestorsAndSelf().OfType<InvocationExpressionSyntax>().Any(i => Regex.IsMatch(i.Expression.ToString(), @"(^|\.|_)[lL]og(ger)?\.|^Debug\.|\.Prefetch|Prefetch\."));

    private static string MemberOf(SyntaxNode node)
    {
        string type = string.Join('.', node.Ancestors().OfType<BaseTypeDeclarationSyntax>().Reverse().Select(t => t.Identifier.Text));
        string member = node.Ancestors().OfType<MemberDeclarationSyntax>().FirstOrDefault(m => m is not BaseTypeDeclarationSyntax) switch
        {
            MethodDeclarationSyntax m => m.Identifier.Text,
            PropertyDeclarationSyntax p => p.Identifier.Text,
            ConstructorDeclarationSyntax => "new",
            BaseFieldDeclarationSyntax f => f.Declaration.Variables[0].Identifier.Text,
            OperatorDeclarationSyntax o => "operator " + o.OperatorToken.Text,
            IndexerDeclarationSyntax => "this[]",
            _ => "",
        };
        return member.Length == 0 ? type : $"{type}.{member}";
    }

    private static IEnumerable<(TextSpan Span, string After)> Changes(SyntaxNode node)
    {
        switch (node)
        {
            case IfStatementSyntax s: yield return (s.Condition.Span, $"!({s.Condition})"); break;
            case WhileStatementSyntax { Condition: not LiteralExpressionSyntax } s: yield return (s.Condition.Span, $"!({s.Condition})"); break;
            case ConditionalExpressionSyntax s: yield return (s.Condition.Span, $"!({s.Condition})"); break;
            case BinaryExpressionSyntax b when Opposite(b.Kind()) is string other: yield return (b.Span, $"{b.Left} {other} {b.Right}"); break;
            case PrefixUnaryExpressionSyntax { RawKind: (int)SyntaxKind.LogicalNotExpression } not: yield return (not.Span, not.Operand.ToString()); break;
            case LiteralExpressionSyntax { RawKind: (int)SyntaxKind.TrueLiteralExpression } t: yield return (t.Span, "false"); break;
            case LiteralExpressionSyntax { RawKind: (int)SyntaxKind.FalseLiteralExpression } f: yield return (f.Span, "true"); break;
            case LiteralExpressionSyntax { Token.Value: int or long or uint or ulong } n:
                yield return (n.Span, n.Token.Text is "0" ? "1" : $"({n.Token.Text} + 1)");
                break;
            case ExpressionStatementSyntax { Expression: InvocationExpressionSyntax or AssignmentExpressionSyntax or PostfixUnaryExpressionSyntax or AwaitExpressionSyntax } call:
                yield return (call.Span, ";");
                if (call.Parent is BlockSyntax block && block.Statements.IndexOf(call) is int at && at + 1 < block.Statements.Count
                    && block.Statements[at + 1] is ExpressionStatementSyntax next && Regex.IsMatch($"{call}{next}", @"Volatile\.Write|Publish|Write\("))
                {
                    yield return (TextSpan.FromBounds(call.SpanStart, next.Span.End), $"{next} {call}");
                }

                break;
            case ReturnStatementSyntax { Expression: BinaryExpressionSyntax e } when e.Kind() is SyntaxKind.LogicalAndExpression or SyntaxKind.LogicalOrExpression:
                yield return (e.Span, "true");
                yield return (e.Span, "false");
                break;
        }
    }

    private static string? Opposite(SyntaxKind kind) => kind switch
    {
        SyntaxKind.LessThanExpression => "<=",
        SyntaxKind.LessThanOrEqualExpression => "<",
        SyntaxKind.GreaterThanExpression => ">=",
        SyntaxKind.GreaterThanOrEqualExpression => ">",
        SyntaxKind.EqualsExpression => "!=",
        SyntaxKind.NotEqualsExpression => "==",
        SyntaxKind.LogicalAndExpression => "||",
        SyntaxKind.LogicalOrExpression => "&&",
        SyntaxKind.AddExpression => "-",
        SyntaxKind.SubtractExpression => "+",
        SyntaxKind.BitwiseAndExpression => "|",
        SyntaxKind.BitwiseOrExpression => "&",
        _ => null,
    };
}
