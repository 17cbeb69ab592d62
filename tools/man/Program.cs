using Couic.Cli.Commands;
using Couic.Cli.Completion;
using Couic.Config;
using Couic.Man;

// Couic.Man SOURCE OUT: SOURCE/*.md, the prose; OUT/man and OUT/completion, what is made of it and of the program's tables.
// Couic.Man --reference PAGE: writes the tables of all keys into the page, between its two marks.
if (args is ["--reference", string page])
{
    string text = File.ReadAllText(page);
    int start = text.IndexOf('\n', text.IndexOf("<!-- keys", StringComparison.Ordinal)) + 1, end = text.IndexOf("<!-- /keys -->", StringComparison.Ordinal);
    File.WriteAllText(page, $"{text[..start]}\n{SettingsSchema.Markdown()}\n{text[end..]}");
    return;
}

string source = args[0], output = args[1];
string manual = Path.Combine(output, "man"), completion = Path.Combine(output, "completion");
Directory.CreateDirectory(manual);
Directory.CreateDirectory(completion);

foreach (string file in Directory.GetFiles(source, "*.md"))
{
    string name = Path.GetFileNameWithoutExtension(file);
    File.WriteAllText(Path.Combine(manual, name), new MarkdownPage(name).Convert(Insertions.Fill(File.ReadAllText(file))));
}

foreach (string shell in CompletionCommand.Shells)
{
    File.WriteAllText(Path.Combine(completion, $"couicctl.{shell}"), CompletionScripts.Of(shell));
}
