namespace Couic.Daemon;

/// <summary>What <c>couic</c> was asked to do.</summary>
/// <param name="Verb"><c>run</c>, <c>check</c>, <c>demo</c>, <c>ctl</c>, <c>report</c>, <c>help</c> or <c>version</c>.</param>
/// <param name="Config">The file after <c>-c</c>; null for the default.</param>
/// <param name="Rest">What <c>ctl</c>, <c>report</c> and <c>demo</c> read themselves.</param>
/// <param name="Error">What is wrong with the command line; null when nothing is.</param>
internal sealed record CommandLine(string Verb, string? Config, string[] Rest, string? Error = null)
{
    /// <summary>The commands by name, with one line of help each.</summary>
    public static readonly (string Name, string Help)[] Verbs =
    [
        ("run", "filter packets and serve the API (the default)"),
        ("check", "read configuration (-c FILE, or FILE), client files and set files and print every fault"),
        ("demo", "drop and pass real packets between two network namespaces, in under 10 s"),
        ("ctl", "the command line of a running daemon, also called couicctl"),
        ("report", "receive reports and send summaries to a chat, also called couic-report"),
    ];

    public static CommandLine Parse(ReadOnlySpan<string> arguments)
    {
        string verb = "run";
        if (!arguments.IsEmpty && !arguments[0].StartsWith('-'))
        {
            verb = arguments[0];
            arguments = arguments[1..];
            if (verb is "ctl" or "report" or "demo")
            {
                return new CommandLine(verb, null, arguments.ToArray());
            }

            if (verb == "help")
            {
                return new CommandLine("help", null, []);
            }

            if (!Array.Exists(Verbs, v => v.Name == verb))
            {
                return Fault($"unknown command \"{verb}\" (one of {string.Join(", ", Verbs.Select(v => v.Name))}; see couic --help)");
            }
        }

        return ParseOptions(verb, arguments);
    }

    private static CommandLine ParseOptions(string verb, ReadOnlySpan<string> arguments)
    {
        string? config = null;
        for (int i = 0; i < arguments.Length; i++)
        {
            string option = arguments[i];
            if (option is "-h" or "--help")
            {
                return new CommandLine("help", null, []);
            }

            if (option is "-V" or "--version")
            {
                return new CommandLine("version", null, []);
            }

            if (option.StartsWith("--config=", StringComparison.Ordinal))
            {
                config = option["--config=".Length..];
            }
            else if (option is "-c" or "--config")
            {
                if (++i == arguments.Length)
                {
                    return Fault($"option \"{option}\" needs a file (such as {option} /etc/couic/couic.toml)");
                }

                config = arguments[i];
            }
            else if (verb == "check" && config is null && !option.StartsWith('-'))
            {
                config = option;
            }
            else
            {
                return Fault(option.StartsWith('-')
                    ? $"unknown option \"{option}\" (-c FILE, --help and --version are known; see couic --help)"
                    : $"unexpected argument \"{option}\" (see couic --help)");
            }
        }

        return new CommandLine(verb, config, []);
    }

    private static CommandLine Fault(string error) => new("help", null, [], error);

    public static string HelpText
    {
        get
        {
            var text = new System.Text.StringBuilder();
            text.Append("couic drops packets from listed networks before the kernel's network stack sees them.\n\n");
            text.Append("Usage: couic [COMMAND] [-c FILE]\n\nCommands:\n");
            foreach ((string name, string help) in Verbs)
            {
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"  {name,-8}{help}\n");
            }

            text.Append(
                "\nOptions:\n"
                + "  -c, --config FILE  configuration (default /etc/couic/couic.toml; where there is none, a built-in one\n"
                + "                     that filters lo and keeps its files under ./run)\n"
                + "  -h, --help         this text\n"
                + "  -V, --version      the version\n\n"
                + "Signals: TERM and INT stop the daemon and detach the filter, HUP reads configuration and sets again.\n"
                + "Exit status: 0 success, 1 a failure or a bad configuration, 2 a bad command line.\n");
            return text.ToString();
        }
    }
}
