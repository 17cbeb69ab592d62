namespace Couic.Cli.Syntax;

/// <summary>A command line together with the world it runs in.</summary>
internal sealed class Invocation(ParsedCommand parsed, CliContext context)
{
    public ParsedCommand Parsed { get; } = parsed;

    public CliContext Context { get; } = context;

    public TextWriter Out => Context.Out;

    /// <summary>A required argument by its place.</summary>
    public string Argument(int index) => Parsed.Arguments[index];

    public string? Option(string name) => Parsed.Option(name);

    public bool Has(string name) => Parsed.Has(name);
}
