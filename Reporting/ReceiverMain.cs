using System.Runtime.InteropServices;
using Couic.CommandLine;
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

    private const string DefaultConfig = "/etc/couic/couic-report.toml";

    private static readonly OptionSpec Config = new("config", 'c', "FILE", "Configuration") { Default = DefaultConfig, Kind = ValueKind.File };

    /// <summary>The command tree.</summary>
    public static readonly CommandSpec Root = new()
    {
        Name = "couic-report",
        VersionText = $"Couic {ProductVersion.Text}",
        Summary = "Receive the reports of a couic daemon and send summaries to a chat",
        Details =
        [
            "Without a command it runs in the foreground. The daemon's [reporting] webhook is http://ADDR:PORT/v1/reports/SECRET.",
            "Exit status: 0 success, 1 a failure or a bad configuration, 2 a bad command line.",
        ],
        Options = [Config],
        Commands =
        [
            new CommandSpec { Name = "run", Summary = "Receive reports (the default)", IsService = true, Run = Receive },
            new CommandSpec { Name = "check", Summary = "Read the configuration and print every fault", Run = Check },
            new CommandSpec { Name = "version", Summary = "Show the version", Run = PrintVersion },
        ],
        IsService = true,
        Run = Receive,
    };

    private static int PrintVersion(Invocation invocation)
    {
        invocation.Out.WriteLine(Root.VersionText);
        return ExitStatus.Success;
    }

    private static int Check(Invocation invocation)
    {
        string file = invocation.Option(Config.Long) ?? DefaultConfig;
        ReadSettings(file);
        invocation.Out.WriteLine($"{file}: good");
        return ExitStatus.Success;
    }

    private static int Receive(Invocation invocation)
    {
        ReceiverSettings settings = ReadSettings(invocation.Option(Config.Long) ?? DefaultConfig);
        using var logs = new LogFactory(new LoggingSettings(Dir: null));
        return ServeAsync(settings, ProductVersion.Text, logs).GetAwaiter().GetResult();
    }

    /// <exception cref="CliException">The file is unreadable or invalid; every fault is named.</exception>
    private static ReceiverSettings ReadSettings(string file)
    {
        List<Fault> faults = [];
        return !TryReadFile(file, out byte[] text, out string fault) ? throw new CliException(fault)
            : ReceiverSettingsReader.Read(file, text, faults) ?? throw new CliException([.. faults.Select(f => f.ToString())]);
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
