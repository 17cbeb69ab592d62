using System.Runtime.InteropServices;
using Couic.Config;
using Couic.Logging;
using Couic.Reporting.Receiver;

namespace Couic.Reporting;

/// <summary>The program <c>couic-report</c>.</summary>
internal static class ReceiverMain
{
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(2);

    /// <summary>Bytes; a receiver's file has a few hundred.</summary>
    private const int MaxConfigBytes = 1024 * 1024;

    /// <param name="arguments">Those after the program's name or the word <c>report</c>.</param>
    /// <param name="version">Of this program.</param>
    /// <returns>The exit status.</returns>
    public static int Run(string[] arguments, string version)
    {
        ReceiverCommandLine line = ReceiverCommandLine.Parse(arguments);
        if (line.Error is not null)
        {
            Console.Error.WriteLine($"couic-report: {line.Error}");
            return 2;
        }

        switch (line.Verb)
        {
            case "help":
                Console.Out.Write(ReceiverCommandLine.HelpText);
                return 0;
            case "version":
                Console.Out.WriteLine($"Couic {version}");
                return 0;
            default:
                return Receive(line.Config, version);
        }
    }

    private static int Receive(string file, string version)
    {
        List<Fault> faults = [];
        ReceiverSettings? settings = TryReadFile(file, out byte[] text, out string fault)
            ? ReceiverSettingsReader.Read(file, text, faults)
            : null;
        if (settings is null)
        {
            foreach (string message in faults.Count == 0 ? [fault] : faults.Select(f => f.ToString()))
            {
                Console.Error.WriteLine($"couic-report: {message}");
            }

            return 1;
        }

        using var logs = new LogFactory(new LoggingSettings(Dir: null));
        return ServeAsync(settings, version, logs).GetAwaiter().GetResult();
    }

    private static async Task<int> ServeAsync(ReceiverSettings settings, string version, LogFactory logs)
    {
        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        await using var host = new ReceiverHost(settings, version, TimeProvider.System, logs);
        try
        {
            host.Start();
        }
        catch (IOException e)
        {
            Console.Error.WriteLine($"couic-report: {e.Message}");
            return 1;
        }

        await stop.Task.ConfigureAwait(false);
        await host.StopAsync(StopLimit).ConfigureAwait(false);
        return 0;

        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.TrySetResult();
        }
    }

    private static bool TryReadFile(string file, out byte[] text, out string fault)
    {
        text = [];
        fault = string.Empty;
        try
        {
            text = File.ReadAllBytes(file);
            fault = text.Length > MaxConfigBytes ? $"read configuration \"{file}\": over {MaxConfigBytes} bytes" : string.Empty;
            return fault.Length == 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string cause = e switch
            {
                FileNotFoundException or DirectoryNotFoundException => "no such file (create it, or give another with -c)",
                UnauthorizedAccessException => "permission denied, or a folder",
                _ => "input or output error",
            };
            fault = $"read configuration \"{file}\": {cause}";
            return false;
        }
    }
}
