using System.Text;
using Couic.Cli;
using Couic.Cli.Output;
using Couic.CommandLine;
using Couic.Tests.Fakes;
using Couic.Tests.Support;

namespace Couic.Tests.Cli;

/// <summary>What one run of couicctl left behind.</summary>
public sealed record CliResult(int Status, string Out, string Error);

/// <summary>couicctl with a configuration of its own, in front of a stub of the daemon; the clock stands still.</summary>
public sealed class CliRig : IDisposable
{
    public const string Token = "0d8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3";

    public CliRig()
    {
        SocketPath = Folder["couic.sock"];
        ClientFile = Folder.Write("couicctl-client.toml", $"token = \"{Token}\"\ngroup = \"admin\"\n");
        ConfigFile = Folder.Write("couicctl.toml", $"mode = \"local\"\nsocket = \"{SocketPath}\"\nclient_file = \"{ClientFile}\"\n");
        Daemon = new StubDaemon(SocketPath);
    }

    public TempFolder Folder { get; } = new();

    public StubDaemon Daemon { get; }

    public ManualClock Clock { get; } = new();

    public Dictionary<string, string> Environment { get; } = new() { ["NO_COLOR"] = "1" };

    public string SocketPath { get; }

    public string ClientFile { get; }

    public string ConfigFile { get; }

    /// <summary>A wide terminal without colours, whose tables are those of couic 1.x.</summary>
    internal Terminal Terminal { get; set; } = new(true, false, static () => 250);

    public string Input { get; set; } = "";

    /// <summary>Whether the output has no reader any more.</summary>
    public Func<bool> IsReaderGone { get; set; } = () => false;

    /// <summary>What happens in a live view instead of waiting; true interrupts it.</summary>
    public Func<TimeSpan, bool> Wait { get; set; } = _ => true;

    /// <summary>What the daemon was asked, one request a line.</summary>
    public string Asked => string.Join('\n', Daemon.Requests);

    /// <summary>Lets the stub answer every request so.</summary>
    public CliRig Answering(int status, string body = "")
    {
        Daemon.Answer = _ => new StubAnswer(status, body);
        return this;
    }

    /// <summary>Runs a command line, words separated by single blanks.</summary>
    public CliResult Run(string words) => RunWords(words.Split(' '));

    public CliResult RunWords(params string[] words)
    {
        using var output = new MemoryStream();
        using var error = new StringWriter { NewLine = "\n" };
        using var input = new MemoryStream(Encoding.UTF8.GetBytes(Input));
        var context = new CliContext(output, error, input, Terminal)
        {
            Clock = Clock,
            Environment = name => Environment.GetValueOrDefault(name),
            SessionOrigin = () => Environment.GetValueOrDefault("SSH_CONNECTION"),
            Wait = (time, _) => Wait(time),
            IsReaderGone = () => IsReaderGone(),
        };
        int status = CommandProgram.Run(CouicctlCommands.Root, ["-c", ConfigFile, .. words], context);
        return new CliResult(status, Encoding.UTF8.GetString(output.ToArray()), error.ToString());
    }

    public void Dispose()
    {
        Daemon.Dispose();
        Folder.Dispose();
    }
}
