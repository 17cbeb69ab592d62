using Couic.Cli.Commands;
using Couic.CommandLine;

namespace Couic.Cli.Completion;

/// <summary>A word that may stand at the cursor.</summary>
/// <param name="Summary">Empty for values.</param>
internal readonly record struct Candidate(string Word, string Summary = "");

/// <summary>
/// What may stand for the last word of a command line: follows the words before it through the command tree as the parser does, but never
/// fails.
/// </summary>
internal sealed class CompletionWords
{
    private readonly List<CommandSpec> _path;
    private readonly List<string> _arguments = [];
    private readonly HashSet<string> _given = new(StringComparer.Ordinal);
    private readonly string _word;
    private OptionSpec? _awaiting;
    private bool _onlyArguments;
    private bool _isHelp;

    /// <param name="words">After the name of the program; the last one is to be completed, and may be empty.</param>
    public CompletionWords(CommandSpec root, ReadOnlySpan<string> words)
    {
        _path = [root];
        _word = words.IsEmpty ? "" : words[^1];
        foreach (string word in words.IsEmpty ? [] : words[..^1])
        {
            Follow(word);
        }
    }

    /// <summary>The value of <c>--config</c>, if it was given.</summary>
    public string? Config { get; private set; }

    /// <summary>The value of <c>--server</c>, if it was given.</summary>
    public string? Server { get; private set; }

    /// <summary>What the last word means; <see cref="ValueKind.Text"/> for commands, options and free text.</summary>
    public ValueKind Kind { get; private set; }

    /// <summary>What stands before the value in the last word, such as <c>--config=</c>.</summary>
    public string Before { get; private set; } = "";

    /// <summary>The policy that the command is about; null if it is none or both.</summary>
    public string? Policy => _path.Select(command => command.Name).FirstOrDefault(IsPolicy)
        ?? (Command.Arguments is [{ Kind: ValueKind.Policy }, ..] && _arguments is [var first, ..] && IsPolicy(first) ? first : null);

    private CommandSpec Command => _path[^1];

    private IEnumerable<OptionSpec> Options => Command.Options.Concat(_path[0] == Command ? [CommandLineParser.Version] : _path[0].Options).Append(CommandLineParser.Help);

    /// <summary>The candidates; values of <see cref="Kind"/> are asked for.</summary>
    public IEnumerable<Candidate> Candidates(Func<ValueKind, string, IEnumerable<string>> values)
    {
        IEnumerable<Candidate> fixedOnes = [];
        string word = _word;
        if (_awaiting is { } option)
        {
            Kind = option.Kind;
        }
        else if (!_onlyArguments && word.StartsWith("--", StringComparison.Ordinal) && word.IndexOf('=', StringComparison.Ordinal) is > 0 and var equals)
        {
            Kind = Find(word[..equals])?.Kind ?? ValueKind.Text;
            Before = word[..(equals + 1)];
        }
        else if (!_onlyArguments && word is ['-', not '-', _, ..] && Find(word[..2]) is { TakesValue: true } joined)
        {
            (Kind, Before) = (joined.Kind, word[..2]);
        }
        else if (!_onlyArguments && word.StartsWith('-'))
        {
            fixedOnes = Options.Where(one => !_given.Contains(one.Long)).SelectMany(Spellings);
        }
        else
        {
            if (_arguments.Count == 0)
            {
                fixedOnes = Command.Commands.Where(child => !child.Hidden).Select(child => new Candidate(child.Name, child.Summary));
            }

            Kind = _isHelp ? ValueKind.Text : KindOfArgument();
        }

        string value = word[Before.Length..];
        return fixedOnes.Where(one => one.Word.StartsWith(word, StringComparison.Ordinal))
            .Concat(Kind is ValueKind.Text or ValueKind.File ? [] : values(Kind, value).Select(one => new Candidate(Before + one)));
    }

    private static bool IsPolicy(string name) => name is "drop" or "ignore";

    private static IEnumerable<Candidate> Spellings(OptionSpec option) => option.Short == 0
        ? [new Candidate("--" + option.Long, option.Summary)]
        : [new Candidate("-" + option.Short, option.Summary), new Candidate("--" + option.Long, option.Summary)];

    private ValueKind KindOfArgument()
    {
        ArgumentSpec[] arguments = Command.Arguments;
        int place = _arguments.Count;
        return place < arguments.Length ? arguments[place].Kind : arguments is [.., { Repeats: true } last] ? last.Kind : ValueKind.Text;
    }

    private void Follow(string word)
    {
        if (_awaiting is { } option)
        {
            Take(option, word);
            _awaiting = null;
        }
        else if (word == "--" && !_onlyArguments)
        {
            _onlyArguments = true;
        }
        else if (!_onlyArguments && word is ['-', _, ..])
        {
            FollowOption(word);
        }
        else if (!_onlyArguments && word == "help" && Command.Commands.Length > 0)
        {
            _isHelp = true;
        }
        else if (_arguments.Count == 0 && Command.Find(word) is { } child)
        {
            _path.Add(child);
        }
        else
        {
            _arguments.Add(word);
        }
    }

    private void FollowOption(string word)
    {
        bool isLong = word.StartsWith("--", StringComparison.Ordinal);
        int equals = isLong ? word.IndexOf('=', StringComparison.Ordinal) : -1;
        for (int i = 1; i < word.Length; i = isLong ? word.Length : i + 1)
        {
            if (Find(isLong ? (equals < 0 ? word : word[..equals]) : "-" + word[i]) is not { } option)
            {
                return;
            }

            _given.Add(option.Long);
            if (option.TakesValue)
            {
                string rest = isLong ? "" : word[(i + 1)..];
                if (equals >= 0 || rest.Length > 0)
                {
                    Take(option, equals >= 0 ? word[(equals + 1)..] : rest);
                }
                else
                {
                    _awaiting = option;
                }

                return;
            }
        }
    }

    private OptionSpec? Find(string spelled) => Options.Concat(_path[0].Options).FirstOrDefault(option => option.IsSpelled(spelled));

    private void Take(OptionSpec option, string value)
    {
        Config = option == CommonOptions.Config ? value : Config;
        Server = option == CommonOptions.Server ? value : Server;
    }
}
