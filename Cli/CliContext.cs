using System.Text;
using Couic.Cli.Api;
using Couic.Cli.Output;

namespace Couic.Cli;

/// <summary>The world of one invocation: streams, environment, clock. Tests make their own.</summary>
internal sealed class CliContext
{
    public CliContext(Stream output, TextWriter error, Stream input, Terminal terminal)
    {
        Output = new BufferedStream(new ResultStream(output), 65536);
        Out = new StreamWriter(Output, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), 4096) { NewLine = "\n" };
        Error = error;
        Input = input;
        Terminal = terminal;
    }

    /// <summary>Text results.</summary>
    public TextWriter Out { get; }

    /// <summary>Results that are bytes already. Flush <see cref="Out"/> before the first write.</summary>
    public Stream Output { get; }

    public TextWriter Error { get; }

    public Stream Input { get; }

    public Terminal Terminal { get; }

    public Func<string, string?> Environment { get; init; } = static name => System.Environment.GetEnvironmentVariable(name);

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Ends a live view: set by an interrupt.</summary>
    public CancellationToken Interrupted { get; init; }

    public bool Decorates => Terminal.Decorates(Environment);

    public static CliContext OfProcess() => new(
        StandardOutput.Open(), Console.Error, Console.OpenStandardInput(), Terminal.OfProcess());

    public void Flush()
    {
        Out.Flush();
        Output.Flush();
    }
}
