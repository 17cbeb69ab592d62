using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Couic.CommandLine;
using Couic.Config;
using Couic.Daemon;
using Couic.Native;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Daemon;

public sealed class CheckCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ValidConfiguration_IsReported_AndNothingIsCreated()
    {
        string config = WriteConfig();
        Assert.Equal((0, $"{config}: good, 0 client files and 0 set files too\n", string.Empty), Check(config));
        Assert.Single(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void EveryFaultOfEveryFile_IsPrinted()
    {
        WorkingFolder.Prepare(_folder.Path, FileOwner.Current);
        _folder.Write("sets/drop/good.couic", "192.0.2.0/24\n");
        string bad = _folder.Write("sets/drop/bad.couic", "# list\n192.0.2.0/33\n::1/128\nx\n");
        string open = _folder.Write("sets/ignore/open.couic", "192.0.2.0/24\n", "644");
        string client = _folder.Write("rbac/clients/web.toml", "token = \"x\"\ngroup = \"admin\"\n");
        (int status, string output, string errors) = Check(WriteConfig());
        Assert.Equal((1, string.Empty), (status, output));
        string[] lines = errors.TrimEnd('\n').Split('\n');
        Assert.Equal(
            [$"{client}:1:9", $"{bad}:2", $"{bad}:4", open],
            lines.Select(line => line[..line.IndexOf(": ", StringComparison.Ordinal)]));
    }

    [Fact]
    public void FaultsOfTheConfiguration_ComeFirst()
    {
        (int status, _, string errors) = Check(_folder.Write("couic.toml", "ifaces = 1\n"));
        Assert.Equal(1, status);
        Assert.StartsWith($"{_folder["couic.toml"]}:", errors, StringComparison.Ordinal);
        Assert.Contains("couic.toml:1:10: ifaces must be an array, is an integer (1)\n", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void MissingPartsOfTheMachine_AreWarnings_AndTheConfigurationStaysValid()
    {
        string config = _folder.Write("couic.toml", $$"""
            ifaces = ["absent7", "lo"]
            working_dir = "{{_folder.Path}}"
            user = "{{FileOwner.Current.Uid}}"
            group = "{{FileOwner.Current.Gid}}"
            server.socket = "{{_folder["nowhere"]}}/couic.sock"
            logging.dir = "{{_folder["neither"]}}/deep/logs"
            peering.enabled = true
            """);
        WorkingFolder.Prepare(_folder.Path, FileOwner.Current);
        _folder.Write("sets/drop/one.couic", "192.0.2.0/24\n");
        (int status, string output, string errors) = Check(config);
        Assert.Equal((0, $"{config}: good, 0 client files and 1 set file too\n"), (status, output));
        string[] lines = errors.TrimEnd('\n').Split('\n');
        Assert.Equal(4, lines.Length);
        Assert.All(lines, line => Assert.StartsWith($"{config}: warning: ", line, StringComparison.Ordinal));
        Assert.Contains($"\"{_folder["nowhere"]}\" of server.socket is missing", lines[0], StringComparison.Ordinal);
        Assert.Contains("deep\" for logging.dir is missing", lines[1], StringComparison.Ordinal);
        Assert.Contains("has no peers", lines[2], StringComparison.Ordinal);
        Assert.Matches("interface \"absent7\": no such interface \\(have: .*lo.*\\)", lines[3]);
    }

    [Fact]
    public void MissingInterface_ThatIsRequired_IsAFault()
    {
        string config = WriteConfig();
        File.WriteAllText(config, "require_ifaces = true\n" + File.ReadAllText(config).Replace("\"lo\"", "\"absent7\"", StringComparison.Ordinal));
        (int status, string output, string errors) = Check(config);
        Assert.Equal((1, string.Empty), (status, output));
        Assert.StartsWith($"{config}: interface \"absent7\": no such interface (have: ", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void FolderInPlaceOfTheFile_IsReportedAsFolder() =>
        Assert.Equal(
            (1, string.Empty, $"couic: read configuration \"{_folder.Path}\": it is a folder (name the file: \"{_folder["couic.toml"]}\")\n"),
            Check(_folder.Path));

    [Fact]
    public void MissingFile_IsOneLine()
    {
        Assert.Equal((1, string.Empty, $"couic: read configuration \"{_folder["no"]}\": no such file or directory\n"), Check(_folder["no"]));
    }

    private string WriteConfig() => _folder.Write("couic.toml", $"""
        ifaces = ["lo"]
        working_dir = "{_folder.Path}"
        user = "{FileOwner.Current.Uid}"
        group = "{FileOwner.Current.Gid}"
        server.socket = "/run/couic.sock"
        logging.dir = "-"
        """);

    [Fact]
    public void FileOnly_AsksNothingOfTheMachine()
    {
        string config = WriteConfig();
        File.WriteAllText(config, "require_ifaces = true\n" + File.ReadAllText(config).Replace("\"lo\"", "\"absent7\"", StringComparison.Ordinal)
            .Replace($"user = \"{FileOwner.Current.Uid}\"", "user = \"no-such-user\"", StringComparison.Ordinal));
        Assert.Equal((0, $"{config}: good\n", string.Empty), Check(config, "--file-only"));
        File.AppendAllText(config, "\nnonsense = 1\n");
        (int status, string output, string errors) = Check(config, "--file-only");
        Assert.Equal((1, string.Empty), (status, output));
        Assert.Contains("unknown key", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void APortOfAnotherProgram_AndAFolderOfAnotherUser_AreWarnings()
    {
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        other.Listen();
        string config = WriteConfig();
        File.WriteAllText(config, $"server.listen = [\"{other.LocalEndPoint}\"]\n" + File.ReadAllText(config));
        (int status, _, string errors) = Check(config);
        Assert.Equal(0, status);
        Assert.Contains($"warning: server.listen {other.LocalEndPoint}: address already in use", errors, StringComparison.Ordinal);
        File.WriteAllText(config, File.ReadAllText(config).Replace($"user = \"{FileOwner.Current.Uid}\"", "user = \"65534\"", StringComparison.Ordinal)
            .Replace("/run/couic.sock", "/etc/couic.sock", StringComparison.Ordinal));
        Assert.Contains("folder \"/etc\" of server.socket cannot be written by user 65534 (chown 65534:", Check(config).Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Json_HasFaultsAndWarnings()
    {
        string config = WriteConfig();
        (int status, string output, string errors) = Check(config, "--json");
        Assert.Equal((0, string.Empty), (status, errors));
        using JsonDocument good = JsonDocument.Parse(output);
        Assert.True(good.RootElement.GetProperty("ok").GetBoolean());
        File.AppendAllText(config, "\nnonsense = 1\n");
        using JsonDocument bad = JsonDocument.Parse(Check(config, "--json").Output);
        Assert.Contains("unknown key", bad.RootElement.GetProperty("faults")[0].GetString(), StringComparison.Ordinal);
    }

    private static (int Status, string Output, string Errors) Check(string config, params string[] options)
    {
        using var output = new MemoryStream();
        using StringWriter errors = new() { NewLine = "\n" };
        int status = CommandProgram.Run(CouicCommands.Root, ["check", config, .. options], new CliContext(output, errors, Stream.Null, Terminal.None));
        return (status, Encoding.UTF8.GetString(output.ToArray()), errors.ToString());
    }
}
