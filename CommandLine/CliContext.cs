using System.Runtime.InteropServices;
using System.Text;
using Couic.Native;

namespace Couic.CommandLine;

/// <summary>The environment of one invocation: streams, variables, clock. Tests replace it.</summary>
internal sealed class CliContext
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    public CliContext(Stream output, TextWriter error, Stream input, Terminal terminal)
    {
        Output = new BufferedStream(new ResultStream(output), 65536);
        Out = new StreamWriter(Output, Utf8, 4096) { NewLine = "\n" };
        Error = error;
        Input = input;
        Terminal = terminal;
    }

    /// <summary>Text results.</summary>
    public TextWriter Out { get; }

    /// <summary>Results as bytes. Flush <see cref="Out"/> before the first write.</summary>
    public Stream Output { get; }

    public TextWriter Error { get; }

    public Stream Input { get; }

    public Terminal Terminal { get; }

    public Func<string, string?> Environment { get; init; } = static name => System.Environment.GetEnvironmentVariable(name);

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Replaces the search for the SSH_CONNECTION of the operator's session in tests.</summary>
    public Func<string?>? SessionOrigin { get; init; }

    /// <summary>How a live view waits; true when it was interrupted.</summary>
    public Func<TimeSpan, CancellationToken, bool> Wait { get; init; } = static (time, interrupt) => interrupt.WaitHandle.WaitOne(time);

    /// <summary>Whether nothing will read the output any more.</summary>
    public Func<bool> IsReaderGone { get; init; } = static () => false;

    /// <summary>How results are written; set from the options of the command line.</summary>
    public OutputStyle Style { get; set; } = OutputStyle.Plain;

    /// <summary>Notes that the JSON answer has to include; printed at once in the other formats.</summary>
    public List<string> Notes { get; } = [];

    public bool Decorates => Terminal.Decorates(Environment);

    public static CliContext OfProcess()
    {
        var error = new StreamWriter(StandardStream.Error, Utf8, 1024) { NewLine = "\n", AutoFlush = true };
        return new CliContext(StandardStream.Output, error, StandardStream.Input, Terminal.OfProcess()) { IsReaderGone = StandardStream.Output.IsPeerGone };
    }

    /// <summary>Makes signals interrupt waits instead of ending the program.</summary>
    public Interrupts CatchInterrupts() => new(Wait);

    public void Flush()
    {
        Out.Flush();
        Output.Flush();
    }
}

/// <summary>
/// Until it is disposed, termination signals end a wait instead of the process, so that the terminal can be restored.
/// </summary>
internal sealed class Interrupts : IDisposable
{
    private readonly CancellationTokenSource _source;
    private readonly PosixSignalRegistration[] _registrations;
    private readonly Func<TimeSpan, CancellationToken, bool> _wait;

    public Interrupts(Func<TimeSpan, CancellationToken, bool> wait)
    {
        _wait = wait;
        _source = new CancellationTokenSource();
        PosixSignal[] signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];
        _registrations = Array.ConvertAll(signals, signal => PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            _source.Cancel();
        }));
    }

    /// <summary>Waits. Returns true as soon as a signal has arrived.</summary>
    public bool Wait(TimeSpan time) => _wait(time, _source.Token);

    public void Dispose()
    {
        Array.ForEach(_registrations, r => r.Dispose());
        _source.Dispose();
    }
}
