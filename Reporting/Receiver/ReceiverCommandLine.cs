namespace Couic.Reporting.Receiver;

/// <summary>What <c>couic-report</c> was asked to do.</summary>
/// <param name="Verb"><c>run</c>, <c>help</c> or <c>version</c>.</param>
/// <param name="Error">What is wrong with the command line; null when nothing is.</param>
internal sealed record ReceiverCommandLine(string Verb, string Config, string? Error = null)
{
    public const string DefaultConfig = "/etc/couic/couic-report.toml";

    public const string HelpText =
        "couic-report receives the reports of a couic daemon and sends summaries to a chat.\n\n"
        + "Usage: couic-report [-c FILE]\n\n"
        + "Options:\n"
        + "  -c, --config FILE  configuration (default " + DefaultConfig + ")\n"
        + "  -h, --help         this text\n"
        + "  -V, --version      the version\n\n"
        + "The daemon's [reporting] webhook is http://ADDR:PORT/v1/reports/SECRET.\n"
        + "Exit status: 0 success, 1 a failure or a bad configuration, 2 a bad command line.\n";

    public static ReceiverCommandLine Parse(ReadOnlySpan<string> arguments)
    {
        string config = DefaultConfig;
        for (int i = 0; i < arguments.Length; i++)
        {
            string option = arguments[i];
            switch (option)
            {
                case "-h" or "--help":
                    return new ReceiverCommandLine("help", config);
                case "-V" or "--version":
                    return new ReceiverCommandLine("version", config);
                case "-c" or "--config" when i + 1 < arguments.Length:
                    config = arguments[++i];
                    break;
                case "-c" or "--config":
                    return new ReceiverCommandLine("help", config, $"option \"{option}\" needs a file");
                case var _ when option.StartsWith("--config=", StringComparison.Ordinal):
                    config = option["--config=".Length..];
                    break;
                default:
                    return new ReceiverCommandLine("help", config, $"unexpected argument \"{option}\" (see couic-report --help)");
            }
        }

        return new ReceiverCommandLine("run", config);
    }
}
