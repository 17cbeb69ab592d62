using Couic.Config;

namespace Couic.CommandLine;

/// <summary>
/// Parses a command line against a tree of commands: <c>--name value</c>, <c>--name=value</c>, <c>-nvalue</c>, joined switches,
/// <c>--</c>, options before or after arguments, and <c>help COMMAND</c> at every level.
/// </summary>
internal sealed class CommandLineParser
{
    public static readonly OptionSpec Help = new("help", 'h', null, "Show this help");

    public static readonly OptionSpec Version = new("version", 'V', null, "Show the version");

    private readonly string[] _words;
    private readonly ParsedCommand _parsed;
    private readonly List<(string Shown, string Value)> _given = [];
    private int _next;
    private bool _onlyArguments;

    private CommandLineParser(CommandSpec root, string[] words)
    {
        _words = words;
        _parsed = new ParsedCommand(root);
    }

    /// <exception cref="UsageException">The words are not a valid command line.</exception>
    public static ParsedCommand Parse(CommandSpec root, string[] words)
    {
        var parser = new CommandLineParser(root, words);
        parser.TakeAll();
        if (parser._parsed.Request == Request.Run)
        {
            parser.Check();
        }

        return parser._parsed;
    }

    private void TakeAll()
    {
        while (_next < _words.Length && _parsed.Request != Request.Version)
        {
            string word = _words[_next++];
            if (_onlyArguments || word.Length < 2 || word[0] != '-')
            {
                TakeWord(word);
            }
            else if (word == "--")
            {
                _onlyArguments = true;
            }
            else if (word[1] == '-')
            {
                TakeLong(word);
            }
            else
            {
                TakeShort(word);
            }
        }
    }

    private void TakeWord(string word)
    {
        CommandSpec command = _parsed.Command;
        if (command.Commands.Length == 0 || (_onlyArguments && command.Run is not null))
        {
            _parsed.Arguments.Add(word);
        }
        else if (word != "help" && command.Find(word) is { } child)
        {
            _parsed.Path.Add(child);
            if (child.TakesRest)
            {
                _parsed.Arguments.AddRange(_words[_next..]);
                _next = _words.Length;
            }
        }
        else if (word == "help")
        {
            _parsed.Request = Request.Help;
        }
        else
        {
            string kind = _parsed.Path.Count > 1 ? $"unknown command of \"{PathBelowRoot}\"" : "unknown command";
            throw Fault($"{kind}: \"{(word.Length > 100 ? word[..100] + "…" : word)}\" ({Guess(word, command)})");
        }
    }

    private void TakeLong(string word)
    {
        int equals = word.IndexOf('=', StringComparison.Ordinal);
        string name = equals < 0 ? word[2..] : word[2..equals];
        OptionSpec option = Find("--" + name) ?? throw Unknown("--" + name);
        if (!option.TakesValue)
        {
            if (equals >= 0)
            {
                throw Fault($"option \"--{name}\" takes no value");
            }

            Switch(option, "--" + name);
            return;
        }

        Add("--" + name, equals >= 0 ? word[(equals + 1)..] : Value(option, "--" + name));
    }

    private void TakeShort(string word)
    {
        for (int i = 1; i < word.Length; i++)
        {
            string shown = "-" + word[i];
            OptionSpec option = Find(shown) ?? throw Unknown(shown);
            if (!option.TakesValue)
            {
                Switch(option, shown);
                continue;
            }

            string rest = word[(i + 1)..];
            Add(shown, rest.Length == 0 ? Value(option, shown) : rest.StartsWith('=') ? rest[1..] : rest);
            return;
        }
    }

    private void Switch(OptionSpec option, string shown)
    {
        if (option == Help)
        {
            _parsed.Request = Request.Help;
        }
        else if (option == Version)
        {
            _parsed.Request = _parsed.Request == Request.Help ? Request.Help : Request.Version;
        }
        else
        {
            Add(shown, "");
        }
    }

    private void Add(string shown, string value) => _given.Add((shown, value));

    /// <summary>An option may stand before the command that it belongs to, so its meaning is known at the end.</summary>
    private void Resolve()
    {
        foreach ((string shown, string value) in _given)
        {
            OptionSpec option = _parsed.KnownOptions.FirstOrDefault(o => o.IsSpelled(shown)) ?? throw Unknown(shown);
            if (!_parsed.TryAdd(option, value))
            {
                throw Fault($"option \"{shown}\" is given twice");
            }
        }
    }

    private string Value(OptionSpec option, string shown)
    {
        if (_next == _words.Length)
        {
            throw Fault($"option \"{shown}\" needs a value: {shown} {option.ValueName}");
        }

        string value = _words[_next++];
        bool isOption = value.Length > 1 && value[0] == '-'
            && Find(value) is not null;
        return isOption
            ? throw Fault($"option \"{shown}\" needs a value, but the option \"{value}\" follows (if that is the value: --{option.Long}={value})")
            : value;
    }

    /// <summary>The option of the command so far, or of a command below it.</summary>
    private OptionSpec? Find(string shown) => Help.IsSpelled(shown) ? Help : Version.IsSpelled(shown) ? Version
        : _parsed.KnownOptions.Concat(_parsed.Command.Below("").SelectMany(c => c.Command.Options)).FirstOrDefault(o => o.IsSpelled(shown));

    private void Check()
    {
        CommandSpec command = _parsed.Command;
        if (command.TakesRest)
        {
            return;
        }

        Resolve();
        if (command.Run is null)
        {
            throw Fault($"a command is missing (one of {Names(command)})");
        }

        int given = _parsed.Arguments.Count;
        int required = command.Arguments.Count(a => a.Occurs is Occurs.Once or Occurs.AtLeastOnce);
        if (given < required)
        {
            throw Fault($"argument {command.Arguments[given].Name} is missing");
        }

        if (given > command.Arguments.Length && !command.Arguments.Any(a => a.Repeats))
        {
            throw Fault($"unexpected argument \"{_parsed.Arguments[command.Arguments.Length]}\"");
        }

        foreach (OptionSpec option in command.Options)
        {
            if (option.Required && !_parsed.Has(option.Long))
            {
                throw Fault($"option \"--{option.Long} {option.ValueName}\" is missing");
            }

            if (option.NotWith is { } other && _parsed.Has(option.Long) && _parsed.Has(other))
            {
                throw Fault($"options \"--{option.Long}\" and \"--{other}\" exclude each other");
            }
        }
    }

    private string PathBelowRoot => string.Join(' ', _parsed.Path.Skip(1).Select(c => c.Name));

    private UsageException Unknown(string shown)
    {
        IEnumerable<string> known = _parsed.KnownOptions.Append(Help).Append(Version).Select(o => "--" + o.Long);
        string? near = shown.Length > 2 ? Nearest(shown, known) : null;
        return Fault($"unknown option \"{shown}\"{(near is null ? "" : $" (did you mean \"{near}\"?)")}");
    }

    private UsageException Fault(string message) => new($"{message}; see \"{_parsed.PathText} --help\"");

    /// <summary>What was probably meant: a command of this name at another place, one that it abbreviates, or the nearest.</summary>
    private string Guess(string word, CommandSpec command)
    {
        CommandSpec root = _parsed.Path[0];
        IEnumerable<string> elsewhere = root.Below(root.Name).Where(c => c.Command.Name == word || c.Command.Aliases.Contains(word)).Select(c => c.Path);
        return (elsewhere.FirstOrDefault() ?? Nearest(word, Visible(command).Select(c => c.Name))) is { } near
            ? $"did you mean \"{near}\"?"
            : "one of " + Names(command);
    }

    private static string? Nearest(string word, IEnumerable<string> known) =>
        known.FirstOrDefault(k => k.StartsWith(word, StringComparison.Ordinal)) ?? Suggestion.For(word, known);

    private static IEnumerable<CommandSpec> Visible(CommandSpec command) => command.Commands.Where(c => !c.Hidden);

    private static string Names(CommandSpec command) => string.Join(", ", Visible(command).Select(c => c.Name));
}
